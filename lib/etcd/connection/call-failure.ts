import type { GrpcError } from '../transport/grpc-error.js';
import { isStaleToken, isTransient, lacksToken } from './etcd-errors.js';

/** Tokens that one call may have renewed: more refusals have another reason. */
const MAX_RENEWALS = 3;

/** The facts that decide what becomes of a call that failed. */
export interface CallFacts {
  readonly isIdempotent: boolean;
  readonly hasUser: boolean;
  /** Number of token renewals that this call has caused. */
  readonly renewals: number;
  readonly isClosed: boolean;
}

/**
 * - `renew-token`: send it again with a new token.
 * - `send-again`: the server has not processed it.
 * - `retry`: it may have been processed, which does no harm.
 * - `closed`: the connection was closed, and nothing was changed.
 * - `unknown`: it may have been applied.
 * - `fail`: the answer is final.
 */
export type AfterFailure = 'renew-token' | 'send-again' | 'retry' | 'closed' | 'unknown' | 'fail';

/** Decides what becomes of a call that failed. */
export function afterFailure(failure: GrpcError, facts: CallFacts): AfterFailure {
  const isUnsent = failure.sent === 'no';
  if (facts.isClosed) return isUnsent || facts.isIdempotent ? 'closed' : 'unknown';
  const isRefusedForToken = isStaleToken(failure) || lacksToken(failure);
  if (isRefusedForToken && facts.hasUser && facts.renewals < MAX_RENEWALS) return 'renew-token';
  if (isUnsent) return 'send-again';
  if (!isTransient(failure)) return 'fail';
  return facts.isIdempotent ? 'retry' : 'unknown';
}
