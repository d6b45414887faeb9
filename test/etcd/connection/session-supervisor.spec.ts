import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Member } from '../../../lib/etcd/connection/member.js';
import { NoSessionError, SessionSupervisor } from '../../../lib/etcd/connection/session-supervisor.js';
import { fakeMember, type FakeSession, recordedDial } from './fake-member.js';

const BACKOFF_MS = [100, 200, 400, 800];
const { signal: NEVER } = new AbortController();
setMaxListeners(0, NEVER);
const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

function supervisorOf(...members: Member[]) {
  const recorded = recordedDial();
  const rounds: (readonly unknown[])[] = [];
  const known = { members, failures: [] as unknown[] };
  const supervisor = new SessionSupervisor({
    members: () => Promise.resolve({ ...known, members: [...members].sort((a, b) => a.avoidedAt - b.avoidedAt) }),
    dial: recorded.dial,
    onRoundFailed: (failures) => rounds.push(failures),
    backoff: { soon: (attempt) => BACKOFF_MS[attempt] ?? 800, refused: () => 5_000 },
  });
  const { attempts } = recorded;
  const wait = (isPatient = false, signal: AbortSignal = NEVER) => {
    const waiter: { session?: unknown; error?: unknown } = {};
    supervisor.session({ isPatient, signal }).then(
      (session) => (waiter.session = session),
      (error: unknown) => (waiter.error = error),
    );
    return waiter;
  };
  /** The session that the last attempt opens. */
  const succeed = async (): Promise<FakeSession> => {
    const session = attempts.at(-1)?.succeed();
    if (!session) throw new Error('no attempt is under way');
    await advance(0);
    return session;
  };
  /** A session that has lived for two seconds. */
  const established = async (): Promise<FakeSession> => {
    wait();
    await advance(0);
    const session = await succeed();
    await advance(2_000);
    return session;
  };
  const tried = (): string[] => attempts.map(({ member }) => member.hostName);
  return { ...recorded, supervisor, rounds, known, wait, succeed, established, tried };
}

beforeEach(() => {
  vi.useFakeTimers({
    toFake: [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
      'performance',
    ],
  });
  vi.advanceTimersByTime(10_000);
});
afterEach(() => {
  vi.useRealTimers();
});

describe('waiting for a session', () => {
  it.each([1, 300])('tries each member once at a time for %i waiters, and serves all of them', async (count) => {
    const { wait, succeed, attempts, maxPerMember, tried } = supervisorOf(fakeMember('a'), fakeMember('b'));
    const waiters = Array.from({ length: count }, () => wait(true));
    await advance(300);
    expect(tried()).toEqual(['a', 'b']);
    for (const { fail } of attempts) fail();
    await advance(100);
    expect(tried()).toEqual(['a', 'b', 'a']);
    const session = await succeed();

    expect(new Set(waiters.map((waiter) => waiter.session))).toEqual(new Set([session]));
    expect(maxPerMember()).toBe(1);
    await advance(60_000);
    expect(attempts).toHaveLength(3);
  });

  it('tries nobody while nobody waits, and resolves immediately while a session is in use', async () => {
    const { established, attempts, wait, supervisor } = supervisorOf(fakeMember('a'));
    await advance(1_000);
    expect(attempts).toEqual([]);
    const session = await established();
    const next = wait();
    await advance(0);

    expect([next.session, supervisor.current, supervisor.hasFailed]).toEqual([session, session, false]);
    expect(attempts).toHaveLength(1);
  });

  it('rejects impatient waiters after a failed round, with its failures, and keeps patient ones', async () => {
    const { wait, attempts, supervisor, rounds, known, succeed } = supervisorOf(fakeMember('a'));
    known.failures.push('unknown name');
    const [impatient, patient] = [wait(), wait(true)];
    await advance(0);
    const error = new Error('refused');
    attempts[0]?.fail(error);
    await advance(0);

    expect(impatient.error).toBeInstanceOf(NoSessionError);
    expect(impatient.error).toMatchObject({ failures: [error, 'unknown name'] });
    expect(rounds).toEqual([[error, 'unknown name']]);
    expect(patient).toEqual({});
    expect(supervisor.hasFailed).toBe(true);

    await advance(100);
    const session = await succeed();
    expect(patient.session).toBe(session);
    expect(supervisor.hasFailed).toBe(false);
  });

  it('fails a round when no host has an address', async () => {
    const { wait, known } = supervisorOf();
    known.failures.push('unknown name');
    const waiter = wait();
    await advance(0);

    expect(waiter.error).toMatchObject({ failures: ['unknown name'] });
  });

  it('waits longer after each failed round, also for new waiters', async () => {
    const { wait, attempts } = supervisorOf(fakeMember('a'));
    wait();
    await advance(0);
    for (const [index, ms] of BACKOFF_MS.entries()) {
      attempts[index]?.fail();
      await advance(0);
      wait();
      await advance(ms - 1);
      expect(attempts).toHaveLength(index + 1);
      await advance(1);
      expect(attempts).toHaveLength(index + 2);
    }
  });

  it('rejects an aborted waiter with the reason, and ends the round when nobody else waits', async () => {
    const { wait, attempts, rounds, supervisor } = supervisorOf(fakeMember('a'));
    const [first, second] = [new AbortController(), new AbortController()];
    const waiters = [wait(false, first.signal), wait(true, second.signal)];
    await advance(0);
    first.abort('first');
    await advance(0);
    expect(attempts[0]?.signal.aborted).toBe(false);
    second.abort('second');
    await advance(60_000);

    expect(waiters).toEqual([{ error: 'first' }, { error: 'second' }]);
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true]);
    expect([rounds, supervisor.hasFailed]).toEqual([[], false]);
  });

  it('begins a new round for a waiter that comes right after an aborted one', async () => {
    const { wait, attempts, succeed } = supervisorOf(fakeMember('a'));
    const controller = new AbortController();
    wait(false, controller.signal);
    await advance(0);
    controller.abort();
    const waiter = wait();
    await advance(0);
    expect(attempts).toHaveLength(2);

    const session = await succeed();
    expect(waiter.session).toBe(session);
  });
});

describe('a lost session', () => {
  it('is replaced immediately when it was stable, and its member is tried last', async () => {
    const { established, wait, tried } = supervisorOf(fakeMember('a'), fakeMember('b'));
    const session = await established();
    session.close();
    await advance(0);
    wait();
    await advance(0);

    expect(tried()).toEqual(['a', 'b']);
  });

  it('is replaced after a growing time when each one is short-lived', async () => {
    const { wait, succeed, attempts } = supervisorOf(fakeMember('a'));
    wait();
    await advance(0);
    for (const [index, ms] of BACKOFF_MS.entries()) {
      const session = await succeed();
      session.close();
      await advance(0);
      wait();
      await advance(ms - 1);
      expect(attempts).toHaveLength(index + 1);
      await advance(1);
      expect(attempts).toHaveLength(index + 2);
    }
  });

  it('is not replaced while nobody needs one', async () => {
    const { established, attempts } = supervisorOf(fakeMember('a'));
    (await established()).close();
    await advance(60_000);

    expect(attempts).toHaveLength(1);
  });
});

describe('leaving a member', () => {
  it('moves to a member with another identity, and closes the session only then', async () => {
    const members = [fakeMember('a', 'one'), fakeMember('a2', 'one'), fakeMember('b', 'two')];
    const { established, supervisor, succeed, tried } = supervisorOf(...members);
    const before = await established();
    supervisor.leave(before.typed);
    supervisor.leave(before.typed);
    await advance(0);
    expect(tried()).toEqual(['a', 'b']);
    expect([supervisor.current, before.state]).toEqual([before, 'ready']);

    const after = await succeed();
    expect([supervisor.current, before.state]).toEqual([after, 'closed']);
    expect(members.map(({ avoidedAt }) => avoidedAt > 0)).toEqual([true, false, false]);
    await advance(60_000);
    expect(tried()).toEqual(['a', 'b']);
  });

  it('keeps the session when there is no other identity', async () => {
    const { established, supervisor, tried, rounds } = supervisorOf(fakeMember('a', 'one'), fakeMember('a2', 'one'));
    const session = await established();
    supervisor.leave(session.typed);
    await advance(60_000);

    expect(tried()).toEqual(['a']);
    expect([supervisor.current, rounds]).toEqual([session, []]);
  });

  it('keeps the session when no other member can be reached, reports no outage, and tries again when asked', async () => {
    const { established, supervisor, tried, attempts } = supervisorOf(fakeMember('a', 'one'), fakeMember('b', 'two'));
    const session = await established();
    supervisor.leave(session.typed);
    await advance(0);
    attempts[1]?.fail();
    await advance(60_000);
    expect(tried()).toEqual(['a', 'b']);
    expect([supervisor.current, supervisor.hasFailed]).toEqual([session, false]);

    supervisor.leave(session.typed);
    await advance(0);
    expect(tried()).toEqual(['a', 'b', 'b']);
  });

  it('ignores a session that is no longer in use', async () => {
    const { established, supervisor, attempts } = supervisorOf(fakeMember('a', 'one'), fakeMember('b', 'two'));
    const session = await established();
    session.close();
    await advance(0);
    supervisor.leave(session.typed);
    supervisor.draining(session.typed);
    supervisor.suspect(session.typed, 5_000);
    await advance(60_000);

    expect(attempts).toHaveLength(1);
  });

  it('replaces a draining session even by one with the same member', async () => {
    const { established, supervisor, succeed, tried } = supervisorOf(fakeMember('a', 'one'));
    const before = await established();
    before.state = 'draining';
    supervisor.draining(before.typed);
    await advance(0);
    expect([tried(), supervisor.current]).toEqual([['a', 'a'], undefined]);

    const after = await succeed();
    expect(supervisor.current).toBe(after);
  });
});

describe('a suspected session', () => {
  const cluster = () => supervisorOf(fakeMember('a', 'one'), fakeMember('b', 'two'));

  it('is pinged once, and kept without another attempt when it answers in time', async () => {
    const { established, supervisor, attempts } = cluster();
    const session = await established();
    supervisor.suspect(session.typed, 0);
    supervisor.suspect(session.typed, 0);
    await advance(1_000);
    session.grpc.bytesReceived += 1;
    await advance(60_000);

    expect([session.pings, attempts.length, supervisor.current]).toEqual([1, 1, session]);
  });

  it('gets a second session beside it after 1250 ms of silence, counted with the silence before', async () => {
    const { established, supervisor, tried } = cluster();
    const session = await established();
    supervisor.suspect(session.typed, 1_000);
    await advance(249);
    expect(tried()).toEqual(['a']);
    await advance(126);
    expect(tried()).toEqual(['a', 'b']);
    expect([supervisor.current, session.state]).toEqual([session, 'ready']);
  });

  it('is replaced when it stays silent for the grace time after the second one is ready', async () => {
    const { established, supervisor, attempts } = cluster();
    const before = await established();
    supervisor.suspect(before.typed, 5_000);
    await advance(130);
    const after = attempts[1]?.succeed();
    await advance(249);
    expect([supervisor.current, before.state]).toEqual([before, 'ready']);
    await advance(1);

    expect([supervisor.current, before.state]).toEqual([after, 'closed']);
    await advance(60_000);
    expect(attempts).toHaveLength(2);
  });

  it('keeps everything when it answers within the grace time, and the second one is closed', async () => {
    const { established, supervisor, attempts } = cluster();
    const before = await established();
    supervisor.suspect(before.typed, 5_000);
    await advance(130);
    const second = attempts[1]?.succeed();
    await advance(50);
    before.grpc.bytesReceived += 1;
    await advance(126);

    expect([supervisor.current, before.state, second?.state]).toEqual([before, 'ready', 'closed']);
    await advance(60_000);
    expect(attempts).toHaveLength(2);
  });

  it('aborts the attempt for a second session when it answers', async () => {
    const { established, supervisor, attempts, rounds } = cluster();
    const session = await established();
    supervisor.suspect(session.typed, 5_000);
    await advance(130);
    session.grpc.bytesReceived += 1;
    await advance(60_000);

    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect([supervisor.current, rounds]).toEqual([session, []]);
  });

  it('can be suspected again after it has answered', async () => {
    const { established, supervisor, attempts } = cluster();
    const session = await established();
    supervisor.suspect(session.typed, 0);
    session.grpc.bytesReceived += 1;
    await advance(200);
    supervisor.suspect(session.typed, 5_000);
    await advance(200);

    expect([session.pings, attempts.length]).toEqual([2, 2]);
  });

  it('tries the same member again where there is no other one, until one of the two sessions answers', async () => {
    const { established, supervisor, attempts, tried } = supervisorOf(fakeMember('a', 'one'));
    const before = await established();
    supervisor.suspect(before.typed, 5_000);
    await advance(130);
    attempts[1]?.fail();
    await advance(100);
    expect(tried()).toEqual(['a', 'a', 'a']);
    expect(supervisor.hasFailed).toBe(false);
    const after = attempts[2]?.succeed();
    await advance(250);

    expect(supervisor.current).toBe(after);
  });

  it('gives way to the second session immediately when it is lost', async () => {
    const { established, supervisor, attempts, wait } = cluster();
    const before = await established();
    supervisor.suspect(before.typed, 5_000);
    await advance(130);
    const second = attempts[1]?.succeed();
    await advance(10);
    before.close();
    await advance(0);
    const waiter = wait();
    await advance(0);

    expect([waiter.session, supervisor.current]).toEqual([second, second]);
  });
});

describe('closing the supervisor', () => {
  it('closes the session, rejects waiters and ends the round under way', async () => {
    const { supervisor, wait, attempts } = supervisorOf(fakeMember('a'));
    const waiters = [wait(), wait(true)];
    await advance(0);
    supervisor.close();
    supervisor.close();
    waiters.push(wait());
    await advance(60_000);

    for (const { error } of waiters) expect(error).toMatchObject({ name: 'TransportError', failure: 'closed' });
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('closes both sessions of a suspicion', async () => {
    const { established, supervisor, attempts } = supervisorOf(fakeMember('a', 'one'), fakeMember('b', 'two'));
    const before = await established();
    supervisor.suspect(before.typed, 5_000);
    await advance(130);
    const second = attempts[1]?.succeed();
    await advance(10);
    supervisor.close();
    await advance(1_000);

    expect([before.state, second?.state, supervisor.current]).toEqual(['closed', 'closed', undefined]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
