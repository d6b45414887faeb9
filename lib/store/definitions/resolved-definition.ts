import { isDeepStrictEqual, types } from 'node:util';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkKnown, checkMilliseconds, checkOneOf, type OptionNames } from '../../option-checks.js';
import { propertiesOf } from '../../dto/class-metadata.js';
import { checkDocumentLimits, DOCUMENT_LIMITS, type DocumentLimits } from '../../dto/document-limits.js';
import type { ReferenceOptions } from '../../dto/references/reference-options.js';
import { isStandardSchema } from '../../dto/standard-schema.js';
import { type ValueType, valueTypeOf } from '../../dto/value-type.js';
import type { ConfigDefinition, ConfigOverride } from './config-definition.js';
import { checkLayers, isSameOverride, layersOf } from './definition-layers.js';
import { isJsonObject } from '../../dto/json-object.js';
import { formatOf } from '../../dto/formats/codecs.js';
import type { CodecChoice } from '../../dto/formats/document-format.js';
import { quoted } from '../../foreign/foreign-text.js';
import { className } from '../../foreign/class-name.js';

/** A checked definition with defaults. */
export interface ResolvedConfigDefinition<T extends object = object> {
  /** The key or the prefix, as the application defines it. */
  readonly name: string;
  readonly target: { readonly key: string } | { readonly prefix: string };
  /** The class or the schema. */
  readonly type: ValueType<T>;
  readonly required: boolean;
  readonly default: T | undefined;
  readonly onDelete: 'remove' | 'keep-last';
  readonly onInvalid: 'fail' | 'skip';
  readonly unknown: 'strip' | 'refuse';
  readonly codec: CodecChoice;
  readonly secret: boolean;
  readonly resolve: ReferenceOptions | undefined;
  readonly limits: DocumentLimits;
  /** Keys that are merged; `[key]` for a definition with an override only. `undefined`: neither layers nor override. */
  readonly layers: readonly string[] | undefined;
  readonly override: ConfigOverride | undefined;
}

const DEFINITION_OPTIONS: OptionNames<ConfigDefinition> = {
  key: true,
  prefix: true,
  type: true,
  schema: true,
  required: true,
  default: true,
  onDelete: true,
  onInvalid: true,
  unknown: true,
  codec: true,
  secret: true,
  resolve: true,
  limits: true,
  layers: true,
  override: true,
};

/**
 * Checks that a list of definitions is one. `subject` starts the message, such as `"configs"`.
 * @throws InvalidOptionsError
 */
export function checkConfigs(subject: string, configs: unknown): readonly ConfigDefinition[] {
  if (Array.isArray(configs) && configs.every((each) => typeof each === 'object' && each !== null)) {
    return configs as ConfigDefinition[];
  }
  throw new InvalidOptionsError(`${subject} must be an array of { key, type } or { prefix, type }`);
}

/**
 * Checks one definition and adds the defaults.
 * @throws InvalidOptionsError naming the key or prefix
 */
export function resolveDefinition<T extends object>(
  definition: ConfigDefinition<T, object>,
  moduleLimits?: DocumentLimits,
): ResolvedConfigDefinition<T> {
  const target = targetOf(definition);
  const subject = describeTarget(target);
  checkKnown(definition, DEFINITION_OPTIONS, { owner: ` of ${subject}` });
  const {
    required = false,
    unknown = 'strip',
    secret = false,
    onDelete = required ? 'keep-last' : 'remove',
    onInvalid = 'key' in target ? 'fail' : 'skip',
  } = definition;
  const type = valueTypeOf(subject, definition) as ValueType<T>;
  checkDefault(definition, subject);
  checkOneOf(`"onDelete" of ${subject}`, onDelete, ['remove', 'keep-last']);
  checkOneOf(`"onInvalid" of ${subject}`, onInvalid, ['fail', 'skip']);
  if (required && 'key' in target && onInvalid === 'skip') {
    throw new InvalidOptionsError(
      `the definition of ${subject} is "required" and has "onInvalid: 'skip'", which starts without it; remove one of them`,
      target,
    );
  }
  checkUnknown(subject, type, definition.unknown);
  checkLayers(subject, definition);
  const codec = checkCodec(subject, type, definition.codec);
  checkKnown(definition.limits ?? {}, DOCUMENT_LIMITS, { path: 'limits.', owner: ` of ${subject}` });
  const limits = checkDocumentLimits(definition.limits ?? {}, ` of ${subject}`, moduleLimits);
  const name = 'key' in target ? target.key : target.prefix;
  return {
    name,
    target,
    type,
    required,
    default: definition.default as T | undefined,
    onDelete,
    onInvalid,
    unknown,
    codec,
    secret,
    resolve: checkResolve(subject, definition.resolve),
    limits,
    layers: layersOf(definition),
    override: definition.override,
  };
}

/** True if two definitions of one target are equal. */
export const isSameDefinition = (a: ResolvedConfigDefinition, b: ResolvedConfigDefinition): boolean =>
  a.type === b.type &&
  a.required === b.required &&
  a.onDelete === b.onDelete &&
  a.onInvalid === b.onInvalid &&
  a.unknown === b.unknown &&
  a.codec === b.codec &&
  a.secret === b.secret &&
  a.resolve === b.resolve &&
  isDeepStrictEqual(a.limits, b.limits) &&
  isDeepStrictEqual(a.layers, b.layers) &&
  isSameOverride(a.override, b.override) &&
  isDeepStrictEqual(a.default, b.default);

/** Name of a target for messages, such as `key "/app/db"`. */
export const describeTarget = (target: ResolvedConfigDefinition['target']): string =>
  'key' in target ? `key ${quoted(target.key)}` : `prefix ${quoted(target.prefix)}`;

/** Equal for equal targets only. Stored in offline snapshots. */
export const identityOf = (target: ResolvedConfigDefinition['target']): string =>
  'key' in target ? `key ${JSON.stringify(target.key)}` : `prefix ${JSON.stringify(target.prefix)}`;

/** A definition as JavaScript may give it. */
interface GivenDefinition {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  readonly type?: unknown;
  readonly required?: boolean | undefined;
  readonly default?: unknown;
}

function targetOf(definition: GivenDefinition): ResolvedConfigDefinition['target'] {
  const { key, prefix, type } = definition;
  const subject = typeof type === 'function' ? `the definition of ${className(type)}` : 'a definition';
  if (key !== undefined && prefix !== undefined) {
    throw new InvalidOptionsError(
      `${subject} has both key ${quoted(key)} and prefix ${quoted(prefix)}; give one of them`,
    );
  }
  if (key === undefined && prefix === undefined) {
    checkKnown(definition, DEFINITION_OPTIONS, { owner: ' of a definition' });
    throw new InvalidOptionsError(`${subject} has neither "key" nor "prefix"; give one of them`);
  }
  if (typeof (key ?? prefix) !== 'string')
    throw new InvalidOptionsError('"key" or "prefix" of a definition must be a string');
  if (key === '') throw new InvalidOptionsError('the "key" of a definition is empty; use { prefix: "" } for every key');
  return key === undefined ? { prefix: prefix ?? '' } : { key };
}

function checkDefault({ key, required, default: value }: GivenDefinition, subject: string): void {
  if (value === undefined) return;
  if (key === undefined)
    throw new InvalidOptionsError(`the definition of ${subject} has a "default", which requires a "key"`);
  if (required)
    throw new InvalidOptionsError(`the definition of ${subject} is "required" and has a "default"; give one of them`, {
      key,
    });
  if (!isJsonObject(value))
    throw new InvalidOptionsError(`the "default" of ${subject} must be an instance or a plain object`, { key });
}

function checkUnknown(subject: string, type: ValueType, unknown: unknown): void {
  checkOneOf(`"unknown" of ${subject}`, unknown, ['strip', 'refuse']);
  if (unknown === undefined || !isStandardSchema(type)) return;
  throw new InvalidOptionsError(
    `"unknown" of ${subject} applies to a "type"; its "schema" decides itself about unknown properties`,
  );
}

function checkCodec(subject: string, type: ValueType, codec: unknown = 'json'): CodecChoice {
  if (!isCodec(codec)) {
    throw new InvalidOptionsError(`"codec" of ${subject} must be 'json', 'text', 'yaml' or { decode, encode }`);
  }
  if (codec === 'text' && !isStandardSchema(type) && !propertiesOf(type).get('value')?.isValidated) {
    throw new InvalidOptionsError(
      `"codec" of ${subject} is 'text', so ${className(type)} needs a property "value" with a class-validator constraint`,
    );
  }
  try {
    formatOf(codec);
  } catch (error) {
    throw new InvalidOptionsError(`"codec" of ${subject}: ${(error as InvalidOptionsError).message}`);
  }
  return codec;
}

const RESOLVE_OPTIONS: OptionNames<ReferenceOptions> = { pattern: true, get: true, refreshMs: true };

function checkResolve(subject: string, resolve: ReferenceOptions | undefined): ReferenceOptions | undefined {
  if (resolve === undefined) return undefined;
  const { pattern, get, refreshMs } = isJsonObject(resolve) ? resolve : {};
  if (!types.isRegExp(pattern) || typeof get !== 'function') {
    throw new InvalidOptionsError(`"resolve" of ${subject} must be { pattern, get } with a RegExp and a function`);
  }
  checkKnown(resolve, RESOLVE_OPTIONS, { path: 'resolve.', owner: ` of ${subject}` });
  checkMilliseconds(`"resolve.refreshMs" of ${subject}`, refreshMs, 1);
  return resolve;
}

function isCodec(codec: unknown): codec is CodecChoice {
  if (typeof codec !== 'object' || codec === null) return ['json', 'text', 'yaml'].includes(codec as string);
  const { decode, encode } = codec as { readonly decode?: unknown; readonly encode?: unknown };
  return typeof decode === 'function' && typeof encode === 'function';
}
