import {
  AuthenticationError,
  type BootProblem,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
  PermissionDeniedError,
} from '../../etcd-trigger.errors.js';
import type { InitialListWait } from './initial-list.js';
import { isRefusal } from '../stream/reflector.js';

/** What the application does when etcd or its configuration is not there at boot. */
export interface BootPolicy {
  /**
   * `fail-fast`: fail at the first certain answer (refused by all hosts, denied, missing, invalid). `wait`: keep trying, fail at `timeoutMs`.
   * `degraded`: try like `fail-fast`, then start with what there is and go on trying.
   */
  readonly policy: 'fail-fast' | 'wait' | 'degraded';
  readonly timeoutMs: number;
}

/** How long a list is waited for at boot, and which failures end the waiting. */
export const bootWait = ({ policy, timeoutMs }: BootPolicy): Pick<InitialListWait, 'timeoutMs' | 'isFinal'> => ({
  timeoutMs,
  isFinal: policy === 'wait' ? () => false : isCertain,
});

/** Silence proves nothing; a refusal does. */
const isCertain = (error: EtcdTriggerError): boolean =>
  isRefusal(error) || (error instanceof ConnectionError && !(error instanceof ConnectionTimeoutError));

/** The failure of a list as one line of a `BootError`. */
export const bootProblem = (cluster: string, subject: string, error: EtcdTriggerError): BootProblem => ({
  cluster,
  subject,
  reason: reasonOf(error),
  message: `${subject}: ${error.message}`,
  error,
});

/** A wait that ran out is told by what kept failing until then, where that is known. */
function reasonOf(error: EtcdTriggerError): BootProblem['reason'] {
  if (error instanceof PermissionDeniedError || error instanceof AuthenticationError) return 'denied';
  if (error instanceof ConnectionTimeoutError) {
    return error.cause instanceof EtcdTriggerError ? reasonOf(error.cause) : 'timeout';
  }
  if (error instanceof ConnectionError) return 'unreachable';
  return 'failed';
}
