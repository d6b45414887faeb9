import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

/** What can be written to a fake: text and bytes as they are, everything else as JSON. */
export type FakeValue = string | Uint8Array | number | boolean | null | object;

/** @throws InvalidOptionsError naming the key, for what has no JSON */
export function bytesOf(key: string, value: FakeValue): Buffer {
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value);
  const json: unknown = JSON.stringify(value);
  if (typeof json === 'string') return Buffer.from(json);
  throw new InvalidOptionsError(`the value for "${key}" has no JSON: give a string, a Buffer, or plain data`, { key });
}
