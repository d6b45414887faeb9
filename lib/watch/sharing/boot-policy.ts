import {
  AuthenticationError,
  type BootProblem,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
  PermissionDeniedError,
} from '../../etcd-trigger.errors.js';
import { isRefusal } from '../../backend/list-watcher.js';
import type { InitialListWait } from './initial-list.js';

/** Startup behaviour while etcd is unavailable or its configuration is incomplete. */
export interface BootPolicy {
  /**
   * `fail-fast`: fail at the first certain answer (refused by all hosts, denied, missing, invalid). `wait`: retry until
   * `timeoutMs`, then fail. `degraded`: try like `fail-fast`, then start with what is available and keep retrying.
   */
  readonly policy: 'fail-fast' | 'wait' | 'degraded';
  readonly timeoutMs: number;
}

/** The limits that a boot policy sets for the wait for an initial list. */
export const bootWait = ({ policy, timeoutMs }: BootPolicy): Pick<InitialListWait, 'timeoutMs' | 'isFinal'> => ({
  timeoutMs,
  isFinal: policy === 'wait' ? () => false : isCertain,
});

/** A timeout proves nothing; a refusal does. */
const isCertain = (error: EtcdTriggerError): boolean =>
  isRefusal(error) || (error instanceof ConnectionError && !(error instanceof ConnectionTimeoutError));

/** Converts the failure of a list to one line of a `BootError`. */
export const bootProblem = (cluster: string, subject: string, error: EtcdTriggerError): BootProblem => ({
  cluster,
  subject,
  reason: reasonOf(error),
  message: `${subject}: ${error.message}`,
  error,
});

/** A timeout is reported by its cause, the last failure before it, if that is known. */
function reasonOf(error: EtcdTriggerError): BootProblem['reason'] {
  if (error instanceof PermissionDeniedError || error instanceof AuthenticationError) return 'denied';
  if (error instanceof ConnectionTimeoutError) {
    return error.cause instanceof EtcdTriggerError ? reasonOf(error.cause) : 'timeout';
  }
  if (error instanceof ConnectionError) return 'unreachable';
  return 'failed';
}
