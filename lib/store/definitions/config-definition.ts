import { isDeepStrictEqual } from 'node:util';
import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkOneOf } from '../../option-checks.js';
import { propertiesOf } from '../../dto/class-metadata.js';
import { isJsonObject } from '../../dto/json-object.js';
import { formatOf } from '../../dto/formats/codecs.js';
import type { CodecChoice } from '../../dto/formats/document-format.js';
import { checkDtoType, className } from '../../dto/dto-type.js';

/** One configuration: the key, or all keys under a prefix, and the class that its values are. Exactly one of `key` and `prefix`. */
export interface ConfigDefinition<T extends object = object> {
  /** One key, exactly; goes before every prefix that covers it. */
  key?: string;
  /** Every key that begins with it; a longer prefix goes before a shorter one. `''` is every key. */
  prefix?: string;
  /** The DTO class; its class-validator constraints decide what is valid. */
  type: Type<T>;
  /**
   * Whether the application cannot start without it (a prefix: without at least one valid key). Excludes `default`.
   * @default false
   */
  required?: boolean;
  /**
   * Shown while the key is absent; for `key` only, and validated at boot like any value.
   * @default none: an absent key is `undefined`
   */
  default?: T;
  /**
   * What readers see after the key was deleted: the default or nothing, or the last good value.
   * @default 'keep-last' when required, else 'remove'
   */
  onDelete?: 'remove' | 'keep-last';
  /**
   * Properties that the class does not know are left out with a warning naming them, or refuse the value.
   * @default 'strip'
   */
  unknown?: 'strip' | 'refuse';
  /**
   * How its bytes are a document, read and written: `'json'`; `'text'`, where the whole text is the property `value` of the class; `'yaml'`, with the
   * package `yaml`; or `{ decode, encode }`.
   * @default 'json'
   */
  codec?: CodecChoice;
  /**
   * Whether its values are left out of an offline snapshot that is not encrypted.
   * @default false
   */
  secret?: boolean;
}

/** A checked definition with its defaults filled in. */
export interface ResolvedConfigDefinition<T extends object = object> {
  /** The key or the prefix, as the application wrote it. */
  readonly name: string;
  /** What to watch for it. */
  readonly target: { readonly key: string } | { readonly prefix: string };
  readonly type: Type<T>;
  readonly required: boolean;
  readonly default: T | undefined;
  readonly onDelete: 'remove' | 'keep-last';
  readonly unknown: 'strip' | 'refuse';
  readonly codec: CodecChoice;
  readonly secret: boolean;
}

/** Checks one definition and fills its defaults; an `InvalidOptionsError` names the key or prefix and what to do. */
export function resolveDefinition<T extends object>(definition: ConfigDefinition<T>): ResolvedConfigDefinition<T> {
  const target = targetOf(definition);
  const subject = describeTarget(target);
  const {
    type,
    required = false,
    unknown = 'strip',
    secret = false,
    onDelete = required ? 'keep-last' : 'remove',
  } = definition;
  checkDtoType(subject, type);
  checkDefault(definition, subject);
  checkOneOf(`"onDelete" of ${subject}`, onDelete, ['remove', 'keep-last']);
  checkOneOf(`"unknown" of ${subject}`, unknown, ['strip', 'refuse']);
  const codec = checkCodec(subject, definition);
  const name = 'key' in target ? target.key : target.prefix;
  return { name, target, type, required, default: definition.default, onDelete, unknown, codec, secret };
}

/** Whether two definitions of one target say the same. */
export const isSameDefinition = (a: ResolvedConfigDefinition, b: ResolvedConfigDefinition): boolean =>
  a.type === b.type &&
  a.required === b.required &&
  a.onDelete === b.onDelete &&
  a.unknown === b.unknown &&
  a.codec === b.codec &&
  a.secret === b.secret &&
  isDeepStrictEqual(a.default, b.default);

/** As a sentence calls it: `key "/app/db"`. */
export const describeTarget = (target: ResolvedConfigDefinition['target']): string =>
  'key' in target ? `key ${JSON.stringify(target.key)}` : `prefix ${JSON.stringify(target.prefix)}`;

function targetOf({ key, prefix }: ConfigDefinition): ResolvedConfigDefinition['target'] {
  if (key !== undefined && prefix !== undefined) {
    throw new InvalidOptionsError(
      `a definition has both key ${JSON.stringify(key)} and prefix ${JSON.stringify(prefix)}; give one of them`,
    );
  }
  if (key === undefined && prefix === undefined) {
    throw new InvalidOptionsError('a definition has neither "key" nor "prefix"; give one of them');
  }
  if (typeof (key ?? prefix) !== 'string')
    throw new InvalidOptionsError('"key" or "prefix" of a definition is a string');
  if (key === '') throw new InvalidOptionsError('the "key" of a definition is empty; every key is { prefix: "" }');
  return key === undefined ? { prefix: prefix ?? '' } : { key };
}

function checkDefault({ key, required, default: value }: ConfigDefinition, subject: string): void {
  if (value === undefined) return;
  if (key === undefined)
    throw new InvalidOptionsError(`the definition of ${subject} has a "default", which only a "key" can have`);
  if (required)
    throw new InvalidOptionsError(`the definition of ${subject} is "required" and has a "default"; give one of them`, {
      key,
    });
  if (!isJsonObject(value))
    throw new InvalidOptionsError(`the "default" of ${subject} is an instance or a plain object`, { key });
}

function checkCodec(subject: string, { codec = 'json', type }: ConfigDefinition): CodecChoice {
  if (!isCodec(codec)) {
    throw new InvalidOptionsError(`"codec" of ${subject} is 'json', 'text', 'yaml' or { decode, encode }`);
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
