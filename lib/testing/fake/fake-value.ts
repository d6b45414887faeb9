import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';

/** A value to write to a fake cluster. Strings and bytes are written unchanged, all other values as JSON. */
export type FakeValue = string | Uint8Array | number | boolean | null | object;

/** @throws InvalidOptionsError with the key, for a value that cannot be written as JSON */
export function bytesOf(key: string, value: FakeValue): Buffer {
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value);
  const json = jsonOf(value);
  if (typeof json === 'string') return Buffer.from(json);
  throw new InvalidOptionsError(
    `the value for ${quoted(key)} cannot be written as JSON: pass a string, a Buffer or plain data`,
    { key },
  );
}

/** Returns `undefined` for a value with a circular reference or a `bigint`, as for a function. */
function jsonOf(value: FakeValue): unknown {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
