import { checkInteger, type OptionalProperties, type OptionNames } from '../option-checks.js';

/**
 * Limits of one document. A larger one is rejected with the name of the option, such as `limits.values`. They bound the
 * time for which the built-in validation of a document blocks the event loop.
 */
export interface DocumentLimits {
  /**
   * The size, in bytes.
   * @default 1_572_864
   */
  readonly documentBytes: number;
  /**
   * The number of values at all levels: properties and items, whatever their type.
   * @default 500_000
   */
  readonly values: number;
  /**
   * The number of properties of all objects together.
   * @default 100_000
   */
  readonly properties: number;
  /**
   * The number of objects and arrays inside of the document.
   * @default 20_000
   */
  readonly nestedObjects: number;
}

/** 1.5 MiB is etcd's default limit of a request, and so of a value. */
export const DEFAULT_DOCUMENT_LIMITS: DocumentLimits = {
  documentBytes: 1.5 * 1024 * 1024,
  values: 500_000,
  properties: 100_000,
  nestedObjects: 20_000,
};

export const DOCUMENT_LIMITS: OptionNames<DocumentLimits> = {
  documentBytes: true,
  values: true,
  properties: true,
  nestedObjects: true,
};

/**
 * Checks the given limits and adds the defaults. `suffix` ends the name of an option in messages, such as
 * ` of key "/app/db"`.
 * @throws InvalidOptionsError
 */
export function checkDocumentLimits(
  given: OptionalProperties<DocumentLimits>,
  suffix = '',
  defaults: DocumentLimits = DEFAULT_DOCUMENT_LIMITS,
): DocumentLimits {
  const limitOf = (name: keyof DocumentLimits): number => {
    const limit = given[name] ?? defaults[name];
    checkInteger(`"limits.${name}"${suffix}`, limit, { min: 1 });
    return limit;
  };
  return {
    documentBytes: limitOf('documentBytes'),
    values: limitOf('values'),
    properties: limitOf('properties'),
    nestedObjects: limitOf('nestedObjects'),
  };
}
