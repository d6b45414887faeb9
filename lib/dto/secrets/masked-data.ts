import { isJsonObject, type JsonObject } from '../json-object.js';
import { jsonMethodOf, MASK } from './mask.js';
import { isSecretName, isMarked } from './secret-names.js';

/**
 * Copies a value to plain data for logs, in which `***` replaces the secrets. A `Map` becomes an object and a `Set` a
 * list. Never throws: `***` also replaces a part that cannot be read.
 */
export function maskedData(value: unknown): unknown {
  return convert(value, new Set());
}

function convert(part: unknown, outer: ReadonlySet<object>): unknown {
  if (typeof part === 'bigint') return String(part);
  if (typeof part === 'function' || typeof part === 'symbol') return undefined;
  if (typeof part !== 'object' || part === null) return part;
  if (outer.has(part)) return '[Circular]';
  const within = new Set([...outer, part]);
  try {
    const json = jsonMethodOf(part);
    if (json) return isMarked(part) ? MASK : convert(json.call(part), within);
    if (part instanceof Map) return convertProperties(part, Object.fromEntries(part) as JsonObject, within);
    if (Array.isArray(part) || part instanceof Set) {
      return isMarked(part) ? MASK : Array.from(part as Iterable<unknown>, (item) => convert(item, within));
    }
    return isJsonObject(part) ? convertProperties(part, part, within) : undefined;
  } catch {
    return MASK;
  }
}

function convertProperties(owner: object, properties: JsonObject, within: ReadonlySet<object>): JsonObject {
  const data: JsonObject = {};
  for (const [name, value] of Object.entries(properties)) {
    const isShown = value === undefined || value === null || !isSecretName(owner, name);
    data[name] = isShown ? convert(value, within) : MASK;
  }
  return data;
}
