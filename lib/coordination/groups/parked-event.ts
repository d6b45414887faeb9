import { keyBytesOf } from '../../backend/key-record.js';
import type { ParkedRecord } from './parked-record.js';

/** An event that a group keeps because its handler could not handle it. Without its value, which may be a secret. */
export interface ParkedEvent {
  readonly key: string;
  readonly type: 'put' | 'delete';
  /** Revision of the change. */
  readonly revision: number;
  /** Number of calls with the event; 0 if the process ended during each of them. */
  readonly attempts: number;
  /** Class of the error of the last attempt. */
  readonly error: string;
  readonly parkedAt: Date;
  /** True from `redrive()` until the handler was called again. */
  readonly isRedriven: boolean;
}

export const parkedEventOf = ({ key, type, revision, attempts, error, at, redrive }: ParkedRecord): ParkedEvent => ({
  key: keyBytesOf(key).toString('utf8'),
  type,
  revision,
  attempts,
  error,
  parkedAt: new Date(at),
  isRedriven: redrive === true,
});
