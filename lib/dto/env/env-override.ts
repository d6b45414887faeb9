import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { printable, quoted } from '../../foreign/foreign-text.js';
import { checkKnown, type OptionNames } from '../../option-checks.js';
import { isForbiddenName, type JsonObject } from '../json-object.js';
import { typeName, type ValueType } from '../value-type.js';
import { type EnvVariable, envVariables } from './env-variables.js';
import { shapesOf } from './property-shape.js';

/** Options of `fromEnv`. */
export interface FromEnvOptions {
  /**
   * Between the names of nested properties: `DB_POOL__MAX` sets `pool.max`.
   * @default '__'
   */
  readonly separator?: string | undefined;
  /**
   * The variables.
   * @default process.env
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

const FROM_ENV_OPTIONS: OptionNames<FromEnvOptions> = { separator: true, env: true };

/** A property that a variable sets. */
export interface EnvSetting {
  readonly variable: string;
  /** A document with this property only. */
  readonly document: JsonObject;
}

/** The properties that the environment sets. */
export interface EnvSettings {
  readonly settings: readonly EnvSetting[];
  /** All names that set a property. */
  readonly known: ReadonlySet<string>;
  /** Variables with the prefix that set no property. */
  readonly unknown: readonly string[];
}

/** An override from environment variables: the result of `fromEnv`. */
export class EnvOverride {
  readonly prefix: string;
  readonly separator: string;
  readonly #env: Readonly<Record<string, string | undefined>>;

  /** @internal */
  constructor(prefix: string, { separator = '__', env = process.env }: FromEnvOptions) {
    this.prefix = prefix;
    this.separator = separator;
    this.#env = env;
  }

  /** True if both read the same variables. @internal */
  equals(other: unknown): boolean {
    return (
      other instanceof EnvOverride &&
      other.prefix === this.prefix &&
      other.separator === this.separator &&
      other.#env === this.#env
    );
  }

  /**
   * Reads the variables. `subject` names the definition for messages.
   * @throws InvalidOptionsError naming every variable with a text that its property does not accept
   * @internal
   */
  read(subject: string, type: ValueType): EnvSettings {
    const shapes = shapesOf(type);
    if (!shapes) {
      throw new InvalidOptionsError(
        `the "override" of ${subject} cannot be fromEnv(), because the library of its schema provides no JSON Schema: give an object or a function`,
      );
    }
    const variables = envVariables(`the "override" of ${subject}`, shapes, this);
    const settings: EnvSetting[] = [];
    const faults: string[] = [];
    for (const [variable, { names, kind }] of variables) {
      const text = this.#env[variable];
      if (text === undefined || names.some(isForbiddenName)) continue;
      const value = valueOf(text, kind);
      if (value === undefined) faults.push(`${printable(variable)} must be ${EXPECTED[kind]}`);
      else settings.push({ variable, document: nested(names, value) });
    }
    if (faults.length > 0) {
      throw new InvalidOptionsError(
        `the environment does not fit ${typeName(type)}, the type of ${subject}: ${faults.join('; ')}`,
      );
    }
    const unknown = Object.keys(this.#env).filter((name) => name.startsWith(this.prefix) && !variables.has(name));
    return { settings, known: new Set(variables.keys()), unknown };
  }
}

/**
 * An override from environment variables, for the `override` of a definition. A variable is named by the prefix and the
 * name of the property in upper case with underscores: with `fromEnv('DB_')`, `DB_HOST` sets `host`,
 * `DB_MAX_CONNECTIONS` sets `maxConnections`, and `DB_POOL__MAX` sets `pool.max`. The types of the properties decide how
 * a text is read: a number as in JSON, `true` or `false`, arrays and maps as JSON, and all other texts as they are. The
 * variables are read once, at startup.
 *
 * @throws InvalidOptionsError for an invalid option; the startup fails with an `InvalidOptionsError` that names every
 * variable whose text its property does not accept
 */
export function fromEnv(prefix: string, options: FromEnvOptions = {}): EnvOverride {
  if (typeof prefix !== 'string' || prefix === '') {
    throw new InvalidOptionsError(`fromEnv() needs the prefix of the variables, such as 'DB_'`);
  }
  const what = `fromEnv(${quoted(prefix)})`;
  checkKnown(options, FROM_ENV_OPTIONS, { owner: ` of ${what}` });
  const { separator, env } = options as { readonly separator?: unknown; readonly env?: unknown };
  if (separator !== undefined && (typeof separator !== 'string' || separator === '')) {
    throw new InvalidOptionsError(`"separator" of ${what} must be a text that is not empty, such as '__'`);
  }
  if (env !== undefined && (typeof env !== 'object' || env === null)) {
    throw new InvalidOptionsError(`"env" of ${what} must be an object of variables, such as process.env`);
  }
  return new EnvOverride(prefix, options);
}

const EXPECTED: Readonly<Record<EnvVariable['kind'], string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  json: 'JSON',
};

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Returns `undefined` for a text that is not of the kind. */
function valueOf(text: string, kind: EnvVariable['kind']): unknown {
  if (kind === 'string') return text;
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (kind === 'number') {
    const number = JSON_NUMBER.test(text) ? Number(text) : NaN;
    const isExact = Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
    return isExact ? number : undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const nested = (names: readonly string[], value: unknown): JsonObject =>
  names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as JsonObject;
