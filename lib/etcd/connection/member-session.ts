import { decodeStatus, STATUS_REQUEST } from '../codec/member-codec.js';
import { GrpcCode } from '../transport/grpc-code.js';
import { GrpcError } from '../transport/grpc-error.js';
import type { GrpcSession } from '../transport/grpc-session.js';
import { isLeaderless } from './etcd-errors.js';
import { LeaderMonitor, type LeaderAnswer } from './leader-monitor.js';
import type { Member } from './member.js';

const STATUS = '/etcdserverpb.Maintenance/Status';
const STATUS_LIMIT_MS = 1_500;

/** Releases whose answers to progress requests never overtake events (etcd #15220, #17566). */
const SAFE_PROGRESS: readonly (readonly [minor: number, patch: number])[] = [
  [4, 31],
  [5, 13],
];

/** Metadata that makes a member without a leader refuse a request, and end a stream. */
export const REQUIRE_LEADER = { hasleader: 'true' };

/** One session with one member, and the facts that the member reports about itself. */
export class MemberSession {
  readonly leaderMonitor: LeaderMonitor;
  readonly openedAt = performance.now();
  /** True once a created watch had an id that was not requested, as only grpc-proxy does. */
  isProxy = false;
  /** True once the member has answered a call or accepted a watch. */
  hasAnswered = false;
  #hasSafeProgress = false;

  constructor(
    readonly member: Member,
    readonly grpc: GrpcSession,
    /** Called when the member left a status request unanswered and sent nothing else. */
    onSilence: (session: MemberSession, silentMs: number) => void,
  ) {
    this.leaderMonitor = new LeaderMonitor((signal) => this.#askForLeader(signal, onSilence));
    void this.#probe().catch(() => undefined);
  }

  /** New calls belong on this session. */
  get isUsable(): boolean {
    return this.grpc.state === 'ready';
  }

  /** Answers to progress requests can serve as bookmarks. */
  get hasSafeProgress(): boolean {
    return this.#hasSafeProgress && !this.isProxy;
  }

  close(): void {
    this.grpc.close();
  }

  /** The request needs neither a token nor a permission; the member refuses it while it has no leader. */
  async #probe(signal?: AbortSignal): Promise<void> {
    const answer = await this.grpc.unary(STATUS, STATUS_REQUEST, {
      metadata: REQUIRE_LEADER,
      timeoutMs: STATUS_LIMIT_MS,
      signal,
    });
    const { identity, version } = decodeStatus(answer);
    if (identity !== '') this.member.identity = identity;
    this.#hasSafeProgress = isSafeProgress(version);
  }

  async #askForLeader(
    signal: AbortSignal,
    onSilence: (session: MemberSession, silentMs: number) => void,
  ): Promise<LeaderAnswer> {
    const bytes = this.grpc.bytesReceived;
    try {
      await this.#probe(signal);
      return 'leader';
    } catch (error) {
      if (!(error instanceof GrpcError)) return 'unknown';
      if (isLeaderless(error)) return 'no leader';
      if (error.code === GrpcCode.DEADLINE_EXCEEDED) {
        if (this.grpc.bytesReceived === bytes) onSilence(this, STATUS_LIMIT_MS);
        // The requests of this process may not arrive although the member sends events.
        else void this.grpc.ping();
      }
      return 'unknown';
    }
  }
}

/** True for versions from which on etcd answers progress requests in order. */
export function isSafeProgress(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major !== 3) return major > 3;
  const fixed = SAFE_PROGRESS.find(([line]) => line === minor);
  return fixed ? patch >= fixed[1] : minor > 5;
}
