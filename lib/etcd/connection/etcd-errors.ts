import {
  AuthenticationError,
  ConnectionError,
  ConnectionTimeoutError,
  type EtcdTriggerError,
  InvalidOptionsError,
  PermissionDeniedError,
  WriteError,
} from '../../etcd-trigger.errors.js';
import { LeaseExistsError, LeaseNotFoundError } from '../../backend/lease-store.js';
import { PERMISSION_HINT } from '../../backend/permission-hint.js';
import { CompactedError, FutureRevisionError, MessageTooLargeError } from '../../backend/list-watcher.js';
import { GrpcCode } from '../transport/grpc-code.js';
import { GrpcError } from '../transport/grpc-error.js';
import { printable } from '../../foreign/foreign-text.js';

const {
  CANCELLED,
  UNKNOWN,
  INVALID_ARGUMENT,
  DEADLINE_EXCEEDED,
  NOT_FOUND,
  PERMISSION_DENIED,
  RESOURCE_EXHAUSTED,
  OUT_OF_RANGE,
  INTERNAL,
  UNAVAILABLE,
  UNAUTHENTICATED,
} = GrpcCode;

const TRANSIENT: ReadonlySet<number> = new Set([CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE]);

/** Another attempt may succeed; the caller decides if one is allowed. */
export const isTransient = (failure: GrpcError): boolean =>
  TRANSIENT.has(failure.code) ||
  (failure.code === RESOURCE_EXHAUSTED && !isTooLarge(failure) && !failure.details.includes('database space exceeded'));

/** The member does not know the token, or it belongs to an older revision of the users. Nothing was done. */
export const isStaleToken = ({ code, details }: GrpcError): boolean =>
  code === UNAUTHENTICATED || /invalid auth token|revision of auth store is old/.test(details);

/** The server has authentication enabled and the request carried no token. */
export const lacksToken = ({ details }: GrpcError): boolean => details.includes('user name is empty');

/** The member has no leader, so it refused a request or ended a stream that requires one. */
export const isLeaderless = ({ code, details }: GrpcError): boolean =>
  code === UNAVAILABLE && details.includes('etcdserver: no leader');

export const isAuthenticationOff = ({ details }: GrpcError): boolean =>
  details.includes('authentication is not enabled');

/** The answer exceeds the limit of this client, or the request that of the server. */
const isTooLarge = ({ code, details }: GrpcError): boolean =>
  code === RESOURCE_EXHAUSTED && /exceeds the limit of|received message larger than max/i.test(details);

/** Translates a failed call. `what` names the operation and its key, as `list prefix "/app/"`. */
export function translate(failure: GrpcError, what: string, key?: string): EtcdTriggerError {
  const { code } = failure;
  const details = printable(failure.details.replace(/^rpc error: code = \w+ desc = /, ''));
  const about = { key, cause: failure };
  const message = `${what}: ${details}`;
  if (lacksToken(failure))
    return new AuthenticationError(`${what}: the server requires a user name and password`, about);
  if (isStaleToken(failure) || details.includes('authentication failed'))
    return new AuthenticationError(message, about);
  if (code === PERMISSION_DENIED || details.includes('permission denied'))
    return new PermissionDeniedError(message + PERMISSION_HINT, about);
  if (isTooLarge(failure)) return new MessageTooLargeError(message, about);
  if (code === NOT_FOUND && details.includes('lease not found')) return new LeaseNotFoundError(message, about);
  if (details.includes('lease already exists')) return new LeaseExistsError(message, about);
  if (code === OUT_OF_RANGE && details.includes('has been compacted')) return new CompactedError(what, undefined);
  if (code === OUT_OF_RANGE) return new FutureRevisionError(message, about);
  if (code === INVALID_ARGUMENT) return new InvalidOptionsError(message, about);
  if (code === DEADLINE_EXCEEDED) return new ConnectionTimeoutError(`${what}: no answer in time`, about);
  if (isTransient(failure)) return new ConnectionError(message, about);
  return new WriteError(message, about);
}

/** Reasons of cancelled watches are the text of a gRPC error: restores its code. */
export function failureOfReason(reason: string): GrpcError {
  const code = /permission denied/i.test(reason)
    ? PERMISSION_DENIED
    : /invalid auth token/i.test(reason)
      ? UNAUTHENTICATED
      : UNKNOWN;
  return new GrpcError(code, reason);
}
