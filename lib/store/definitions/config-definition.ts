import type { Type } from '@nestjs/common';
import type { EnvOverride } from '../../dto/env/env-override.js';
import type { DocumentLimits } from '../../dto/document-limits.js';
import type { CodecChoice } from '../../dto/formats/document-format.js';
import type { ReferenceOptions } from '../../dto/references/reference-options.js';
import type { SchemaInput, StandardSchema } from '../../dto/standard-schema.js';
import type { OptionalProperties } from '../../option-checks.js';
import type { ValueType } from '../../dto/value-type.js';

/**
 * Defines the value of a key, or all values under a prefix: exactly one of `key` and `prefix`, and either the class
 * (`type`) or the `schema` of the values. `T` is the type of the values, `Input` that of a `default`.
 */
export type ConfigDefinition<T extends object = object, Input = T> = DefinitionOptions &
  (KeyDefinition<NoInfer<Input>> | PrefixDefinition) &
  (ClassDefinition<T> | SchemaDefinition<T, Input>);

/** The class or the schema of a definition; `undefined` too, for one that is not an object literal. */
export type GivenValueType = ValueType | undefined;

/** A list of definitions, each checked by the compiler against its own class or schema. */
export type CheckedDefinitions<Types extends readonly GivenValueType[]> = readonly [
  ...{ [Index in keyof Types]: CheckedDefinition<Types[Index]> },
];

/** One definition, checked against the class or schema that it names. */
export type CheckedDefinition<Given> = DefinitionOptions &
  (KeyDefinition<NoInfer<InputOf<Given>>> | PrefixDefinition) &
  (
    | { type: Given; schema?: undefined; unknown?: ClassDefinition<object>['unknown'] }
    | { schema: Given; type?: undefined; unknown?: undefined }
  );

/** Type of the values that may be written: instances of a class, or the documents that a schema accepts. */
export type InputOf<Given> =
  Given extends Type<infer T> ? T : Given extends StandardSchema ? SchemaInput<Given> : object;

/** Defines one key. */
export interface KeyDefinition<Input> {
  /** A single key; takes precedence over every prefix that covers it. With `layers`, a name for readers. */
  key: string;
  prefix?: undefined;
  /**
   * Keys whose documents are merged from left to right into the value: objects deeply, `null` removes a property, and
   * any other value replaces the one before it. `key` itself is read only if it is one of them. At most 16.
   * @default none: the value is the document at `key`
   */
  layers?: readonly string[] | undefined;
  /**
   * Laid over the documents from etcd: `fromEnv('DB_')` for environment variables, an object, or a function that returns
   * one and is called once, at startup.
   * @default none
   */
  override?: ConfigOverride | undefined;
  /**
   * Value while the key is absent; only for `key`, and validated at startup like any value. With `layers` or `override`,
   * the documents are merged over it.
   * @default none: an absent key is `undefined`
   */
  default?: Input | undefined;
}

/** Defines all keys under a prefix. */
export interface PrefixDefinition {
  /**
   * All keys that start with it; a longer prefix takes precedence over a shorter one. `''` covers every key. End it with
   * the separator of your keys: `/tenant-1` also covers `/tenant-10`.
   */
  prefix: string;
  key?: undefined;
  default?: undefined;
  layers?: undefined;
  override?: undefined;
}

/** Local properties that are laid over the documents from etcd, in the form of a document. */
export type ConfigOverride = EnvOverride | object | (() => object);

/** Validates the values by a class. */
export interface ClassDefinition<T extends object> {
  /** The DTO class, whose class-validator constraints validate the values. */
  type: Type<T>;
  schema?: undefined;
  /**
   * Unknown properties: `strip` removes them with a warning that names them, `refuse` rejects the value.
   * @default 'strip'
   */
  unknown?: 'strip' | 'refuse' | undefined;
}

/** Validates the values by a schema. */
export interface SchemaDefinition<T extends object, Input> {
  /**
   * A Standard Schema (zod, valibot, arktype) in place of a class. It decides itself about unknown properties. Its output
   * must be an object.
   */
  schema: StandardSchema<Input, T>;
  type?: undefined;
  unknown?: undefined;
}

/** Options of every definition. */
export interface DefinitionOptions {
  /**
   * The application does not start without a valid value (with `prefix`: at least one). Excludes `default`.
   * @default false
   */
  required?: boolean | undefined;
  /**
   * Value after the key was deleted: `remove`: the default or `undefined`; `keep-last`: the last good value.
   * @default 'keep-last' if required, otherwise 'remove'
   */
  onDelete?: 'remove' | 'keep-last' | undefined;
  /**
   * A value that is invalid at startup: `fail` stops the start with a `BootError`, also if there is a snapshot. `skip`
   * starts without it: readers see the value of the snapshot, or else the default or `undefined`, until the next valid
   * value. While the application runs, an invalid value never replaces a valid one. `skip` excludes `required` of a
   * `key`; a required `prefix` needs one valid key in both cases.
   * @default 'fail' for a `key`, 'skip' for a `prefix`
   */
  onInvalid?: 'fail' | 'skip' | undefined;
  /**
   * Format of the values, read and written: `'json'`; `'text'`, where the whole text is the property `value` of the
   * document; `'yaml'`, which requires the package `yaml`; or `{ decode, encode }`, which may return promises.
   * @default 'json'
   */
  codec?: CodecChoice | undefined;
  /**
   * Masks all properties of its values in `JSON.stringify`, `util.inspect` and `EtcdTriggerInspector.effective()`, and
   * excludes them from an offline snapshot that is not encrypted. `@Secret()` masks single properties.
   * @default false
   */
  secret?: boolean | undefined;
  /**
   * Resolves references to secrets, such as `vault:db#password`, while a value is parsed. The secrets are masked as those
   * of `@Secret()`, and writes keep the references.
   * @default none: every text is a value
   */
  resolve?: ReferenceOptions | undefined;
  /**
   * Limits of the documents, where they differ from those of the module.
   * @default the `limits` of the module
   */
  limits?: OptionalProperties<DocumentLimits> | undefined;
}
