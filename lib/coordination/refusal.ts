import { LeaseNotFoundError } from '../backend/lease-store.js';
import { ConnectionError, EtcdTriggerError, UnknownOutcomeError } from '../etcd-trigger.errors.js';

/** True if etcd has refused a request. An outage, a lost answer, or a lease that was lost meanwhile, is no refusal. */
export const isRefusal = (error: unknown): error is EtcdTriggerError =>
  error instanceof EtcdTriggerError && !NO_REFUSALS.some((type) => error instanceof type);

const NO_REFUSALS = [ConnectionError, UnknownOutcomeError, LeaseNotFoundError];
