import {
  ConnectionError,
  type EtcdTriggerError,
  GroupBusyError,
  InvalidConfigError,
  InvalidOptionsError,
  PermissionDeniedError,
  RevisionConflictError,
  RevisionUnavailableError,
  UnknownOutcomeError,
  AuthenticationError,
} from '../etcd-trigger.errors.js';
import { isA } from '../foreign/foreign-error.js';

/** A request that the console refuses, with the body of the answer. */
export class ConsoleError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: object = {},
  ) {
    super(message);
  }
}

/** The status of an answer to an error of the library. */
export function statusOf(error: EtcdTriggerError): number {
  return STATUSES.find(([type]) => isA(error, type))?.[1] ?? 400;
}

/** The members of the answer beside the message. */
export const detailsOf = (error: EtcdTriggerError): object => ({
  code: error.code,
  ...(error instanceof InvalidConfigError && { violations: error.violations }),
});

const STATUSES: readonly (readonly [abstract new (...args: never[]) => EtcdTriggerError, number])[] = [
  [InvalidConfigError, 422],
  [RevisionConflictError, 409],
  [GroupBusyError, 409],
  [RevisionUnavailableError, 404],
  [PermissionDeniedError, 403],
  [InvalidOptionsError, 400],
  [ConnectionError, 503],
  [AuthenticationError, 503],
  [UnknownOutcomeError, 503],
];
