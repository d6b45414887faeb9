import { keyText, rawKeyOf } from '../../backend/key-record.js';
import type { Operation } from '../../backend/key-value-store.js';
import type { OptionNames } from '../../option-checks.js';
import { checkArgument, checkKey, checkOptions } from '../argument-checks.js';
import { bytesOf, type FakeValue } from './fake-value.js';

/** Options of a write. */
export interface FakePutOptions {
  /** Lease id from `grantLease()`. */
  readonly lease?: string | undefined;
}

const PUT_OPTIONS: OptionNames<FakePutOptions> = { lease: true };
export const LEASE_ADVICE = 'pass the lease as the string that grantLease() returns';

/** @throws InvalidOptionsError for a bad argument; `method` starts its message */
export function putOf(method: string, key: string | Buffer, value: FakeValue, options: FakePutOptions = {}): Operation {
  checkKey(method, key);
  checkOptions(method, options, PUT_OPTIONS);
  const { lease } = options;
  checkArgument(method, lease === undefined || typeof lease === 'string', LEASE_ADVICE);
  const rawKey = rawKeyOf(key);
  return { type: 'put', rawKey, value: bytesOf(keyText(rawKey), value), lease };
}

/** @throws InvalidOptionsError for a bad argument; `method` starts its message */
export function deleteOf(method: string, key: string | Buffer): Operation {
  checkKey(method, key);
  return { type: 'delete', rawKey: rawKeyOf(key) };
}
