import type { Type } from '@nestjs/common';
import { type AnyClass, propertiesByDocumentName } from './class-metadata.js';
import { toInstance, toPlain } from './class-transformer.js';
import { validateInstance } from './dto-validator.js';
import { isJsonObject, type JsonObject } from './json-object.js';
import { propertyPath } from './property-path.js';
import { isSecretProperty } from './secrets/document-mask.js';
import { declaresSecrets } from './secrets/secret-names.js';
import { visitObjects } from './value-walk.js';

/** Asynchronous validators are not waited for. */
const NO_WAIT_MS = 1;

/** The initial value of a property. */
export interface InitialValue {
  /** The value as JSON; `undefined` if it is no JSON, or is or contains a secret. */
  readonly json: unknown;
}

/**
 * Returns the properties that a document may lack because an instance has a valid value for them, by their names in
 * documents. A class whose constructor throws has none.
 */
export function initialValuesOf(type: AnyClass): ReadonlyMap<string, InitialValue> {
  try {
    const instance = toInstance(type as Type<object>, {}) as JsonObject;
    const refused = refusedPathsOf(instance);
    const plain = plainOf(type, instance);
    const present = [...propertiesByDocumentName(type)].filter(
      ([, { name }]) => instance[name] !== undefined && !refused.some((path) => isAt(path, propertyPath('', name))),
    );
    return new Map(
      present.map(([documentName, { name, isDynamic }]) => {
        const isShown = !isDynamic && !isSecretProperty(type, documentName) && !containsSecret(instance[name]);
        return [documentName, { json: isShown ? jsonOf(plain[documentName]) : undefined }];
      }),
    );
  } catch {
    return new Map();
  }
}

/** The paths at which a document without properties is not valid. */
function refusedPathsOf(instance: object): string[] {
  const violations = validateInstance(instance, NO_WAIT_MS);
  return violations instanceof Promise ? [] : violations.toArray().map(({ path }) => path);
}

const isAt = (path: string, property: string): boolean =>
  path.startsWith(property) && ['', '.', '['].includes(path.charAt(property.length));

function plainOf(type: AnyClass, instance: object): JsonObject {
  try {
    const plain = toPlain(type, instance);
    return isJsonObject(plain) ? plain : {};
  } catch {
    return {};
  }
}

function containsSecret(value: unknown): boolean {
  let isFound = false;
  visitObjects(value, (part) => {
    isFound ||= declaresSecrets(part);
  });
  return isFound;
}

/** `undefined` for a value that is not JSON or has such a part, and for `null`. */
const jsonOf = (value: unknown): unknown => (value === null || !isJson(value) ? undefined : withoutUndefined(value));

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (isJsonObject(value)) {
    return isPlain(value) && Object.values(value).every((part) => part === undefined || isJson(part));
  }
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

const isPlain = (value: object): boolean => Object.getPrototypeOf(value) === Object.prototype;

const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
