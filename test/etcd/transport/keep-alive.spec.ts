import { beforeEach, describe, expect, it, vi } from 'vitest';
import { KeepAlive } from '../../../lib/etcd/transport/keep-alive.js';

const OPTIONS = { intervalMs: 10_000, spacingMs: 6_000, lateMs: 1_000, timeoutMs: 3_000, answerMs: 9_000 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  return () => {
    vi.useRealTimers();
  };
});

/** A peer that answers after the given time, or never; what happens is logged with the second it happens in. */
function pinged({ answersAfterMs }: { answersAfterMs?: number } = {}) {
  const log: string[] = [];
  const startedAt = performance.now();
  const state = { answersAfterMs, bytes: 0 };
  const note = (text: string): void => {
    log.push(`${((performance.now() - startedAt) / 1_000).toFixed(1)} ${text}`);
  };
  const keepAlive: KeepAlive = new KeepAlive(
    {
      sendPing: (onAnswer) => {
        note('ping');
        if (state.answersAfterMs === undefined) return;
        setTimeout(() => {
          state.bytes += 17;
          onAnswer();
        }, state.answersAfterMs);
      },
      bytesReceived: () => state.bytes,
      onLate: () => {
        note('late');
      },
      onAnswered: () => {
        note('answered');
      },
      onDead: () => {
        note('dead');
        keepAlive.stop();
      },
    },
    OPTIONS,
  );
  return { keepAlive, log, state, note };
}

describe('KeepAlive', () => {
  it('pings at its interval while something is open, and not otherwise', async () => {
    const { keepAlive, log } = pinged({ answersAfterMs: 100 });

    await vi.advanceTimersByTimeAsync(60_000);
    keepAlive.setActive(true);
    await vi.advanceTimersByTimeAsync(25_000);
    keepAlive.setActive(false);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(log).toEqual(['70.0 ping', '70.1 answered', '80.0 ping', '80.1 answered']);
  });

  it('goes on at its interval when short calls come and go', async () => {
    const { keepAlive, log } = pinged({ answersAfterMs: 0 });

    for (let i = 0; i < 50; i += 1) {
      keepAlive.setActive(true);
      await vi.advanceTimersByTimeAsync(500);
      if (i % 2 === 0) keepAlive.setActive(false);
      await vi.advanceTimersByTimeAsync(500);
    }

    expect(log.filter((line) => line.endsWith('ping')).length).toBeGreaterThanOrEqual(2);
  });

  it('reports a ping as late, and a peer that stays silent as dead', async () => {
    const { keepAlive, log } = pinged();

    keepAlive.setActive(true);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(log).toEqual(['10.0 ping', '11.0 late', '13.0 dead']);
  });

  it('reports an answer that comes late', async () => {
    const { keepAlive, log } = pinged({ answersAfterMs: 2_500 });

    keepAlive.setActive(true);
    await vi.advanceTimersByTimeAsync(20_000);

    expect(log).toEqual(['10.0 ping', '11.0 late', '12.5 answered', '20.0 ping']);
  });

  it('takes anything that arrives as a sign of life, until the answer is overdue', async () => {
    const { keepAlive, log, state } = pinged();
    const receive = async (seconds: number): Promise<void> => {
      for (let i = 0; i < seconds * 2; i += 1) {
        await vi.advanceTimersByTimeAsync(500);
        state.bytes += 1;
      }
    };

    keepAlive.setActive(true);
    await receive(18.5);
    expect(log).toEqual(['10.0 ping']);
    await receive(1);

    expect(log).toEqual(['10.0 ping', '19.0 dead']);
  });

  it('counts silence from the last byte', async () => {
    const { keepAlive, log, state } = pinged();

    keepAlive.setActive(true);
    await vi.advanceTimersByTimeAsync(12_500);
    state.bytes += 1;
    await vi.advanceTimersByTimeAsync(20_000);

    expect(log).toEqual(['10.0 ping', '11.0 late', '14.0 late', '16.0 dead']);
  });

  it('joins a ping under way, and keeps the distance to the one before', async () => {
    const { keepAlive, log, note } = pinged({ answersAfterMs: 100 });
    const ping = async (): Promise<void> => {
      note(`alive: ${await keepAlive.ping()}`);
    };

    const first = Promise.all([ping(), ping()]);
    await vi.advanceTimersByTimeAsync(1_000);
    await first;
    const second = Promise.all([ping(), ping()]);
    await vi.advanceTimersByTimeAsync(10_000);
    await second;

    expect(log).toEqual([
      '0.0 ping',
      '0.1 answered',
      '0.1 alive: true',
      '0.1 alive: true',
      '6.0 ping',
      '6.1 answered',
      '6.1 alive: true',
      '6.1 alive: true',
    ]);
  });

  it('never pings faster than allowed, whoever asks', async () => {
    const { keepAlive, log } = pinged({ answersAfterMs: 10 });

    keepAlive.setActive(true);
    for (let i = 0; i < 300; i += 1) {
      void keepAlive.ping();
      await vi.advanceTimersByTimeAsync(100);
    }

    expect(log.filter((line) => line.endsWith('ping'))).toEqual([0, 6, 12, 18, 24, 30].map((at) => `${at}.0 ping`));
  });

  it('tells who waits that the session has ended', async () => {
    const { keepAlive } = pinged();
    const ping = keepAlive.ping();

    keepAlive.stop();

    expect([await ping, await keepAlive.ping()]).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not take a stall of this process for silence of the peer', async () => {
    vi.useRealTimers();
    const log: string[] = [];
    const keepAlive = new KeepAlive(
      {
        sendPing: () => log.push('ping'),
        bytesReceived: () => 0,
        onLate: () => log.push('late'),
        onAnswered: () => log.push('answered'),
        onDead: () => log.push('dead'),
      },
      { intervalMs: 1_000, spacingMs: 0, lateMs: 20, timeoutMs: 60, answerMs: 180 },
    );

    const ping = keepAlive.ping();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);

    expect(log).not.toContain('dead');
    keepAlive.stop();
    expect(await ping).toBe(false);
  });
});
