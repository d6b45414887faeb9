import { LeaseNotFoundError } from '../backend/lease-store.js';
import { ConnectionError, EtcdTriggerError } from '../etcd-trigger.errors.js';

/** True if etcd has refused a request. An outage, or a lease that was lost meanwhile, is no refusal. */
export const isRefusal = (error: unknown): error is EtcdTriggerError =>
  error instanceof EtcdTriggerError && !(error instanceof ConnectionError || error instanceof LeaseNotFoundError);
