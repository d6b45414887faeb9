import type { Client, Metadata } from '@grpc/grpc-js';
import { type GrpcFailure, isGrpcFailure, neverSent, noConnection, ranOutOfTime } from './etcd-errors.js';
import { unaryCall, type WireMethod } from './unary-call.js';

/** How a member is does not matter here, only that it says so: the question has no fields, and those of the answer are not read. */
const STATUS: WireMethod<undefined, undefined> = {
  path: '/etcdserverpb.Maintenance/Status',
  serialize: () => Buffer.alloc(0),
  deserialize: () => undefined,
};

export interface StatusProbe {
  readonly metadata: Metadata;
  /** Until when an answer counts, milliseconds from now; may be `Infinity`. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks the member at the other end of this very connection how it is. It answers without its quorum and without hashing anything, and needs neither token
 * nor permission for it; should that change, a refusal is an answer too. Of what demands a leader it says first whether it has one (`newUnaryInterceptor` in etcd's
 * server/etcdserver/api/v3rpc/interceptor.go).
 * @returns the refusal, or `undefined` from a member that is well
 * @throws when there is no answer
 */
export async function probeStatus(
  client: Client,
  { metadata, limitMs, signal }: StatusProbe,
): Promise<(Error & GrpcFailure) | undefined> {
  const options = { metadata: requireLeader(metadata.clone()), deadline: Date.now() + limitMs, signal };
  try {
    await unaryCall(client, STATUS, undefined, options);
    return undefined;
  } catch (error) {
    if (signal.aborted || !isGrpcFailure(error)) throw error;
    if (ranOutOfTime(error)) throw noConnection(limitMs);
    if (neverSent(error)) throw error;
    return error;
  }
}

/** etcd refuses what is asked of a member that has no leader, and ends a stream when it has lost it. */
export function requireLeader(metadata: Metadata): Metadata {
  metadata.set('hasleader', 'true');
  return metadata;
}
