import type { Dial } from '../../../lib/etcd/connection/dial-round.js';
import { Member } from '../../../lib/etcd/connection/member.js';
import type { MemberSession } from '../../../lib/etcd/connection/member-session.js';

/** A session as far as the supervisor uses it; the test decides what happens to it. */
export class FakeSession {
  state: 'ready' | 'draining' | 'closed' = 'ready';
  hasAnswered = false;
  pings = 0;
  readonly openedAt = performance.now();
  readonly grpc: { bytesReceived: number; closed: Promise<void>; ping: () => Promise<void> };
  #end: () => void = () => undefined;

  constructor(readonly member: Member) {
    const closed = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    this.grpc = {
      bytesReceived: 0,
      closed,
      ping: () => {
        this.pings += 1;
        return Promise.resolve();
      },
    };
  }

  get isUsable(): boolean {
    return this.state === 'ready';
  }

  close(): void {
    this.state = 'closed';
    this.#end();
  }

  /** The double in the type that the code under test expects. */
  get typed(): MemberSession {
    return this as unknown as MemberSession;
  }
}

export interface Attempt {
  readonly member: Member;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  readonly succeed: () => FakeSession;
  readonly fail: (error?: Error) => void;
}

export function fakeMember(name: string, identity?: string): Member {
  const member = new Member({ host: name, port: 2379 }, `${name}:2379`, name);
  member.identity = identity;
  return member;
}

/** Records the attempts of a dial function, which the test lets succeed or fail. An abort rejects an open one. */
export function recordedDial() {
  const attempts: Attempt[] = [];
  const underWay = new Map<Member, number>();
  let maxPerMember = 0;
  const dial: Dial = (member, signal) =>
    new Promise((resolve, reject) => {
      const count = (underWay.get(member) ?? 0) + 1;
      underWay.set(member, count);
      maxPerMember = Math.max(maxPerMember, count);
      let isOver = false;
      const end = (): void => {
        if (!isOver) underWay.set(member, (underWay.get(member) ?? 0) - 1);
        isOver = true;
      };
      const fail = (error = new Error(`no session with ${member.hostName}`)): void => {
        end();
        reject(error);
      };
      const succeed = (): FakeSession => {
        end();
        const session = new FakeSession(member);
        resolve(session.typed);
        return session;
      };
      signal.addEventListener('abort', () => {
        fail(new Error('aborted'));
      });
      attempts.push({ member, signal, startedAt: performance.now(), succeed, fail });
      if (signal.aborted) fail(new Error('aborted'));
    });
  return { dial, attempts, maxPerMember: () => maxPerMember };
}
