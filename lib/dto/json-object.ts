/** A JSON object, as `JSON.parse` returns it. */
export type JsonObject = Record<string, unknown>;

/** Nesting levels of objects and arrays; the document itself is the first level. */
export const MAX_DEPTH = 64;

/**
 * Properties of one object. class-transformer compares each property with all others, so more would block the event
 * loop.
 */
export const MAX_PROPERTIES = 20_000;

/** True for an object that is neither `null` nor an array. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * True for names that every object has, such as `toString`, and for `__proto__` and `prototype`. class-transformer
 * silently drops most of them.
 */
export const isForbiddenName = (name: string): boolean => FORBIDDEN_NAMES.has(name);

const FORBIDDEN_NAMES: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype']);
