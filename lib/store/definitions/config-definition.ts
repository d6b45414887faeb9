import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkKnown, checkOneOf, type OptionNames } from '../../option-checks.js';
import { propertiesOf } from '../../dto/class-metadata.js';
import { checkDocumentLimits, DOCUMENT_LIMITS, type DocumentLimits } from '../../dto/document-limits.js';
import { isJsonObject } from '../../dto/json-object.js';
import { formatOf } from '../../dto/formats/codecs.js';
import type { CodecChoice } from '../../dto/formats/document-format.js';
import { checkDtoType } from '../../dto/dto-type.js';
import { quoted } from '../../foreign/foreign-text.js';
import { className } from '../../foreign/class-name.js';

/**
 * Defines the class of the value of a key, or of all values under a prefix. Requires exactly one of `key` and `prefix`.
 */
export interface ConfigDefinition<T extends object = object> {
  /** A single key; takes precedence over every prefix that covers it. */
  key?: string;
  /** All keys that start with it; a longer prefix takes precedence over a shorter one. `''` covers every key. */
  prefix?: string;
  /** The DTO class, whose class-validator constraints validate the values. */
  type: Type<T>;
  /**
   * The application does not start without a valid value (with `prefix`: at least one). Excludes `default`.
   * @default false
   */
  required?: boolean;
  /**
   * Value while the key is absent; only for `key`, and validated at startup like any value.
   * @default none: an absent key is `undefined`
   */
  default?: T;
  /**
   * Value after the key was deleted: `remove`: the default or `undefined`; `keep-last`: the last good value.
   * @default 'keep-last' if required, otherwise 'remove'
   */
  onDelete?: 'remove' | 'keep-last';
  /**
   * A value that is invalid at startup: `fail` stops the start with a `BootError`, also if there is a snapshot. `skip`
   * starts without it: readers see the value of the snapshot, or else the default or `undefined`, until the next valid
   * value. While the application runs, an invalid value never replaces a valid one. `skip` excludes `required` of a
   * `key`; a required `prefix` needs one valid key in both cases.
   * @default 'fail' for a `key`, 'skip' for a `prefix`
   */
  onInvalid?: 'fail' | 'skip';
  /**
   * Unknown properties: `strip` removes them with a warning that names them, `refuse` rejects the value.
   * @default 'strip'
   */
  unknown?: 'strip' | 'refuse';
  /**
   * Format of the values, read and written: `'json'`; `'text'`, where the whole text is the property `value` of the
   * class; `'yaml'`, which requires the package `yaml`; or `{ decode, encode }`.
   * @default 'json'
   */
  codec?: CodecChoice;
  /**
   * Excludes its values from an offline snapshot that is not encrypted.
   * @default false
   */
  secret?: boolean;
  /**
   * Limits of the documents, where they differ from those of the module.
   * @default the `limits` of the module
   */
  limits?: Partial<DocumentLimits>;
}

/** A checked definition with defaults. */
export interface ResolvedConfigDefinition<T extends object = object> {
  /** The key or the prefix, as the application defines it. */
  readonly name: string;
  readonly target: { readonly key: string } | { readonly prefix: string };
  readonly type: Type<T>;
  readonly required: boolean;
  readonly default: T | undefined;
  readonly onDelete: 'remove' | 'keep-last';
  readonly onInvalid: 'fail' | 'skip';
  readonly unknown: 'strip' | 'refuse';
  readonly codec: CodecChoice;
  readonly secret: boolean;
  readonly limits: DocumentLimits;
}

const DEFINITION_OPTIONS: OptionNames<ConfigDefinition> = {
  key: true,
  prefix: true,
  type: true,
  required: true,
  default: true,
  onDelete: true,
  onInvalid: true,
  unknown: true,
  codec: true,
  secret: true,
  limits: true,
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
  definition: ConfigDefinition<T>,
  moduleLimits?: DocumentLimits,
): ResolvedConfigDefinition<T> {
  const target = targetOf(definition);
  const subject = describeTarget(target);
  checkKnown(definition, DEFINITION_OPTIONS, { owner: ` of ${subject}` });
  const {
    type,
    required = false,
    unknown = 'strip',
    secret = false,
    onDelete = required ? 'keep-last' : 'remove',
    onInvalid = 'key' in target ? 'fail' : 'skip',
  } = definition;
  checkDtoType(subject, type);
  checkDefault(definition, subject);
  checkOneOf(`"onDelete" of ${subject}`, onDelete, ['remove', 'keep-last']);
  checkOneOf(`"onInvalid" of ${subject}`, onInvalid, ['fail', 'skip']);
  if (required && 'key' in target && onInvalid === 'skip') {
    throw new InvalidOptionsError(
      `the definition of ${subject} is "required" and has "onInvalid: 'skip'", which starts without it; remove one of them`,
      target,
    );
  }
  checkOneOf(`"unknown" of ${subject}`, unknown, ['strip', 'refuse']);
  const codec = checkCodec(subject, definition);
  checkKnown(definition.limits ?? {}, DOCUMENT_LIMITS, { path: 'limits.', owner: ` of ${subject}` });
  const limits = checkDocumentLimits(definition.limits ?? {}, ` of ${subject}`, moduleLimits);
  const name = 'key' in target ? target.key : target.prefix;
  return {
    name,
    target,
    type,
    required,
    default: definition.default,
    onDelete,
    onInvalid,
    unknown,
    codec,
    secret,
    limits,
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
  isDeepStrictEqual(a.limits, b.limits) &&
  isDeepStrictEqual(a.default, b.default);

/** Name of a target for messages, such as `key "/app/db"`. */
export const describeTarget = (target: ResolvedConfigDefinition['target']): string =>
  'key' in target ? `key ${quoted(target.key)}` : `prefix ${quoted(target.prefix)}`;

/** Equal for equal targets only. Stored in offline snapshots. */
export const identityOf = (target: ResolvedConfigDefinition['target']): string =>
  'key' in target ? `key ${JSON.stringify(target.key)}` : `prefix ${JSON.stringify(target.prefix)}`;

function targetOf(definition: ConfigDefinition): ResolvedConfigDefinition['target'] {
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

function checkDefault({ key, required, default: value }: ConfigDefinition, subject: string): void {
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

function checkCodec(subject: string, { codec = 'json', type }: ConfigDefinition): CodecChoice {
  if (!isCodec(codec)) {
    throw new InvalidOptionsError(`"codec" of ${subject} must be 'json', 'text', 'yaml' or { decode, encode }`);
  }
  if (codec === 'text' && !propertiesOf(type).get('value')?.isValidated) {
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

function isCodec(codec: unknown): codec is CodecChoice {
  if (typeof codec !== 'object' || codec === null) return ['json', 'text', 'yaml'].includes(codec as string);
  const { decode, encode } = codec as { readonly decode?: unknown; readonly encode?: unknown };
  return typeof decode === 'function' && typeof encode === 'function';
}
