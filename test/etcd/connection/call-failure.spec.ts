import { describe, expect, it } from 'vitest';
import { type AfterFailure, afterFailure, type CallFacts } from '../../../lib/etcd/connection/call-failure.js';
import { GrpcCode } from '../../../lib/etcd/transport/grpc-code.js';
import { GrpcError } from '../../../lib/etcd/transport/grpc-error.js';

const { UNAUTHENTICATED, UNAVAILABLE, DEADLINE_EXCEEDED, INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED } =
  GrpcCode;

const unsent = new GrpcError(UNAVAILABLE, 'refused stream', { sent: 'no' });
const lost = new GrpcError(UNAVAILABLE, 'the connection broke');
const late = new GrpcError(DEADLINE_EXCEEDED, 'no answer');
const leaderless = new GrpcError(UNAVAILABLE, 'etcdserver: no leader');
const denied = new GrpcError(PERMISSION_DENIED, 'etcdserver: permission denied');
const stale = new GrpcError(UNAUTHENTICATED, 'etcdserver: invalid auth token');
const oldRevision = new GrpcError(INVALID_ARGUMENT, 'etcdserver: revision of auth store is old');
const nameless = new GrpcError(INVALID_ARGUMENT, 'etcdserver: user name is empty');
const busy = new GrpcError(RESOURCE_EXHAUSTED, 'etcdserver: too many requests');
const full = new GrpcError(RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded');
const large = new GrpcError(RESOURCE_EXHAUSTED, 'grpc: received message larger than max (5 vs. 4)');

const READ: CallFacts = { isIdempotent: true, hasUser: false, renewals: 0, isClosed: false };
const WRITE: CallFacts = { ...READ, isIdempotent: false };
const withUser = (facts: CallFacts, renewals = 0): CallFacts => ({ ...facts, hasUser: true, renewals });
const closed = (facts: CallFacts): CallFacts => ({ ...facts, isClosed: true });

describe('afterFailure', () => {
  it.each<[AfterFailure, string, GrpcError, CallFacts]>([
    ['send-again', 'an unsent read', unsent, READ],
    ['send-again', 'an unsent write', unsent, WRITE],
    ['retry', 'a read with a lost answer', lost, READ],
    ['unknown', 'a write with a lost answer', lost, WRITE],
    ['retry', 'a late read', late, READ],
    ['unknown', 'a late write', late, WRITE],
    ['retry', 'a read without a leader', leaderless, READ],
    ['unknown', 'a write without a leader', leaderless, WRITE],
    ['retry', 'a read at a busy server', busy, READ],
    ['fail', 'a denied read', denied, READ],
    ['fail', 'a denied write', denied, WRITE],
    ['fail', 'a write to a full database', full, WRITE],
    ['fail', 'a read with a large answer', large, READ],
    ['fail', 'a large write', large, WRITE],
    ['renew-token', 'a read with a stale token', stale, withUser(READ)],
    ['renew-token', 'a write with a stale token', stale, withUser(WRITE)],
    ['renew-token', 'a write with the token of an old revision', oldRevision, withUser(WRITE)],
    ['renew-token', 'a write without a token', nameless, withUser(WRITE)],
    ['renew-token', 'a third refusal', stale, withUser(READ, 2)],
    ['fail', 'a fourth refusal', stale, withUser(READ, 3)],
    ['fail', 'a refusal without a user', stale, READ],
    ['fail', 'a call without a token where no user is configured', nameless, WRITE],
    ['closed', 'an unsent write of a closed connection', unsent, closed(WRITE)],
    ['closed', 'a read of a closed connection', lost, closed(READ)],
    ['unknown', 'a write of a closed connection', lost, closed(WRITE)],
    ['closed', 'a read with a stale token on a closed connection', stale, closed(withUser(READ))],
  ])('decides "%s" for %s', (decision, _, failure, facts) => {
    expect(afterFailure(failure, facts)).toBe(decision);
  });
});
