import {
  AuthenticationError,
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
  InvalidOptionsError,
  PermissionDeniedError,
  WriteError,
} from '../../etcd-trigger.errors.js';
import { LeaseNotFoundError } from '../../backend/lease-store.js';
import { CompactedError, FutureRevisionError, MessageTooLargeError } from '../../backend/list-watcher.js';
import { describeConnectionFailure } from './connection-failure.js';

/** Numeric gRPC status codes that occur with etcd (https://grpc.io/docs/guides/status-codes). */
const CANCELLED = 1;
const UNKNOWN = 2;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const OUT_OF_RANGE = 11;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** What grpc-js says of a failed call. */
export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
}

/** Everything else that is thrown is a fault of this library, not of a connection. */
export const isGrpcFailure = (error: unknown): error is Error & GrpcFailure =>
  error instanceof Error && typeof (error as Partial<GrpcFailure>).code === 'number';

export function grpcFailure(error: unknown): GrpcFailure {
  const { code, details, message } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  return {
    code: typeof code === 'number' ? code : UNKNOWN,
    details: typeof details === 'string' ? details : typeof message === 'string' ? message : 'unknown error',
  };
}

/** The failure of a member that lets nobody in and turns nobody away. */
export const noConnection = (limitMs: number): Error & GrpcFailure => {
  const details = `No connection established within ${limitMs} ms`;
  return Object.assign(new Error(details), { code: DEADLINE_EXCEEDED, details });
};

export const ranOutOfTime = ({ code }: GrpcFailure): boolean => code === DEADLINE_EXCEEDED;

/** The request provably never left this process: no connection was there to carry it. */
export const neverSent = ({ code, details }: GrpcFailure): boolean =>
  /No connection established|Name resolution failed|Channel closed before call started/.test(details) ||
  (code === DEADLINE_EXCEEDED && /Waiting for LB pick|waiting for (name resolution|metadata filters)/i.test(details));

/** Another attempt may succeed; whether one is allowed is the caller's decision. */
export const isTransient = ({ code, details }: GrpcFailure): boolean =>
  ([CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE].includes(code) &&
    !details.includes('message serialization failure')) ||
  (code === RESOURCE_EXHAUSTED && !isTooLarge({ code, details }) && !details.includes('database space exceeded'));

/** The token is unknown to the member or of another age: authenticate again, then try again. Refused before anything was done. */
export const isStaleToken = ({ code, details }: GrpcFailure): boolean =>
  code === UNAUTHENTICATED || /invalid auth token|revision of auth store is old/.test(details);

/** The server has authentication on and the request had no token. */
export const lacksToken = ({ details }: GrpcFailure): boolean => details.includes('user name is empty');

/** The member has no leader, and therefore refused a request or ended a stream that demanded one. */
export const isLeaderless = ({ code, details }: GrpcFailure): boolean =>
  code === UNAVAILABLE && details.includes('etcdserver: no leader');

export const isAuthenticationOff = ({ details }: GrpcFailure): boolean =>
  details.includes('authentication is not enabled');

const isTooLarge = ({ code, details }: GrpcFailure): boolean =>
  code === RESOURCE_EXHAUSTED && details.includes('Received message larger than max');

/** The one place where gRPC's failures become this library's errors. `what` names the operation and its key, as `list prefix "/app/"`. */
export function translate(error: unknown, what: string, key?: string): EtcdTriggerError {
  if (error instanceof EtcdTriggerError) return error;
  const failure = grpcFailure(error);
  const { code } = failure;
  const details = withoutRpcPrefix(failure.details);
  const about = { key, cause: error };
  const message = `${what}: ${neverSent(failure) ? describeConnectionFailure(details) : details}`;
  if (isStaleToken(failure) || lacksToken(failure) || details.includes('authentication failed')) {
    return new AuthenticationError(
      lacksToken(failure) ? `${what}: the server wants a user name and password` : message,
      about,
    );
  }
  if (code === PERMISSION_DENIED || details.includes('permission denied'))
    return new PermissionDeniedError(message, about);
  if (isTooLarge(failure)) return new MessageTooLargeError(message, about);
  if (code === NOT_FOUND && details.includes('lease not found')) return new LeaseNotFoundError(message, about);
  if (code === OUT_OF_RANGE && details.includes('has been compacted')) return new CompactedError(what, undefined);
  if (code === OUT_OF_RANGE) return new FutureRevisionError(message, about);
  if (code === INVALID_ARGUMENT) return new InvalidOptionsError(message, about);
  if (code === DEADLINE_EXCEEDED)
    return new ConnectionTimeoutError(neverSent(failure) ? message : `${what}: no answer in time`, about);
  if (/closed|cancelled on client/i.test(details) && code === CANCELLED)
    return new ConnectionClosedError(message, about);
  if (isTransient(failure)) return new ConnectionError(message, about);
  return new WriteError(message, about);
}

/** Reasons of cancelled watches come as text of a gRPC error; take the code back out of it. */
export function failureOfReason(reason: string): GrpcFailure {
  const code = /permission denied/i.test(reason)
    ? PERMISSION_DENIED
    : /invalid auth token/i.test(reason)
      ? UNAUTHENTICATED
      : UNKNOWN;
  return { code, details: reason };
}

const withoutRpcPrefix = (details: string): string => details.replace(/^rpc error: code = \w+ desc = /, '');
