import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';

/** The parameters of a pattern by name, with their values in one key. */
export type KeyParameters = Readonly<Record<string, string>>;

const NAME = /^:[A-Za-z_]\w*$/;

/**
 * A target with named segments: `/tenants/:tenant/limits` matches every key with one segment in place of `:tenant`.
 * A pattern that ends with a slash matches every key below. A segment that begins with `\:` is a literal `:`.
 */
export class KeyPattern {
  readonly #expression: RegExp;

  private constructor(
    readonly source: string,
    /** The part before the first parameter: the prefix to watch. */
    readonly prefix: string,
    readonly parameters: readonly string[],
    segments: readonly string[],
  ) {
    const expression = segments.map((segment) => (isParameter(segment) ? '([^/]+)' : literal(unescaped(segment))));
    const below = segments.at(-1) === '' ? '.+' : '';
    this.#expression = new RegExp(`^${expression.join('/')}${below}$`, 's');
  }

  /**
   * Returns the text without its escapes if it has no parameters.
   * @throws InvalidOptionsError for an invalid or repeated parameter name, and for a pattern that begins with a
   * parameter
   */
  static of(text: string): KeyPattern | string {
    const segments = text.split('/');
    const first = segments.findIndex(isParameter);
    if (first < 0) return segments.map(unescaped).join('/');
    const parameters = segments.filter(isParameter).map((segment) => segment.slice(1));
    checkNames(text, segments, parameters);
    const prefix = segments.slice(0, first).map(unescaped).join('/');
    if (first === 0) {
      throw new InvalidOptionsError(
        `the target ${quoted(text)} begins with a parameter: put a literal segment before it`,
      );
    }
    return new KeyPattern(text, `${prefix}/`, parameters, segments);
  }

  /** Returns the parameters of a key, or `undefined` if the key does not match. */
  match(key: string): KeyParameters | undefined {
    const groups = this.#expression.exec(key);
    if (!groups) return undefined;
    return Object.fromEntries(this.parameters.map((name, index) => [name, groups[index + 1] ?? '']));
  }
}

const isParameter = (segment: string): boolean => segment.startsWith(':');

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

const unescaped = (segment: string): string => (segment.startsWith('\\:') ? segment.slice(1) : segment);

function checkNames(text: string, segments: readonly string[], parameters: readonly string[]): void {
  const invalid = segments.find((segment) => isParameter(segment) && !NAME.test(segment));
  if (invalid !== undefined) {
    throw new InvalidOptionsError(
      `${quoted(invalid)} in the target ${quoted(text)} is not a valid parameter: use ":" and a name of letters, digits and "_"; write a literal segment as ${quoted(`\\${invalid}`)}, or the target as { prefix } or { key }`,
    );
  }
  const repeated = parameters.find((name, index) => parameters.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new InvalidOptionsError(`the target ${quoted(text)} has the parameter ${quoted(`:${repeated}`)} twice`);
  }
}
