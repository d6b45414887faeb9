import { InvalidOptionsError } from '../etcd-trigger.errors.js';

/** What the parameters of a pattern are in one key. */
export type KeyParameters = Readonly<Record<string, string>>;

const NAME = /^:[A-Za-z_]\w*$/;

/**
 * A target with named segments: `/tenants/:tenant/limits` is every key with one segment where `:tenant` stands. With a slash at its end it is every key
 * below. A segment that begins with `\:` is a literal `:`.
 */
export class KeyPattern {
  readonly #expression: RegExp;

  private constructor(
    readonly source: string,
    /** What stands before the first parameter: the prefix to watch. */
    readonly prefix: string,
    readonly parameters: readonly string[],
    segments: readonly string[],
  ) {
    const expression = segments.map((segment) => (isParameter(segment) ? '([^/]+)' : literal(unescaped(segment))));
    const below = segments.at(-1) === '' ? '.+' : '';
    this.#expression = new RegExp(`^${expression.join('/')}${below}$`, 's');
  }

  /**
   * The pattern that a text is, or the text itself without its escapes.
   * @throws InvalidOptionsError for a parameter without a proper name, one that is there twice, and a pattern that begins with a parameter
   */
  static of(text: string): KeyPattern | string {
    const segments = text.split('/');
    const first = segments.findIndex(isParameter);
    if (first < 0) return segments.map(unescaped).join('/');
    const parameters = segments.filter(isParameter).map((segment) => segment.slice(1));
    checkNames(text, segments, parameters);
    const prefix = segments.slice(0, first).map(unescaped).join('/');
    if (first === 0) {
      throw new InvalidOptionsError(`the target "${text}" begins with a parameter: put something fixed before it`);
    }
    return new KeyPattern(text, `${prefix}/`, parameters, segments);
  }

  /** The parameters of a key, or `undefined` for one that is not of this pattern. */
  match(key: string): KeyParameters | undefined {
    const found = this.#expression.exec(key);
    if (!found) return undefined;
    return Object.fromEntries(this.parameters.map((name, index) => [name, found[index + 1] ?? '']));
  }
}

const isParameter = (segment: string): boolean => segment.startsWith(':');

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

const unescaped = (segment: string): string => (segment.startsWith('\\:') ? segment.slice(1) : segment);

function checkNames(text: string, segments: readonly string[], parameters: readonly string[]): void {
  const nameless = segments.find((segment) => isParameter(segment) && !NAME.test(segment));
  if (nameless !== undefined) {
    throw new InvalidOptionsError(
      `"${nameless}" in the target "${text}" is no parameter: that is ":" and a name of letters, digits and "_"; a literal segment is written "\\\\${nameless}", or the target as { prefix } or { key }`,
    );
  }
  const twice = parameters.find((name, index) => parameters.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidOptionsError(`the target "${text}" has the parameter ":${twice}" twice`);
}
