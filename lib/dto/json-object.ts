/** A JSON object, as `JSON.parse` gives it. */
export type JsonObject = Record<string, unknown>;

/** etcd's own default limit of a request, so of a value. */
export const MAX_BYTES = 1.5 * 1024 * 1024;

/** Levels of objects and arrays in each other, the document itself being the first. */
export const MAX_DEPTH = 64;

/** Properties of one object: class-transformer compares each with all others, so more would stop the process for seconds. */
export const MAX_PROPERTIES = 20_000;

/** Neither `null` nor an array. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
