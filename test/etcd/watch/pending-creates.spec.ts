import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NO_WATCH } from '../../../lib/etcd/codec/watch-codec.js';
import { BusyLinkLimit } from '../../../lib/etcd/connection/busy-link.js';
import { PendingCreates } from '../../../lib/etcd/watch/pending-creates.js';
import type { Watch } from '../../../lib/etcd/watch/watch-receiver.js';

const LIMIT_MS = 3_000;

function creates() {
  const sent: number[] = [];
  const timedOut: number[] = [];
  const blocked: number[] = [];
  const server = { isSequential: false, bytes: 0 };
  const pending = new PendingCreates({
    isSequential: () => server.isSequential,
    limit: new BusyLinkLimit(LIMIT_MS, () => server.bytes),
    send: (watch) => {
      watch.sentAt = performance.now();
      sent.push(watch.id);
    },
    onTimeout: (watch) => {
      watch.isCanceled = true;
      timedOut.push(watch.id);
    },
    onBlocked: (unsent) => {
      blocked.push(...unsent.map(({ id }) => id));
    },
  });
  const add = (id: number): Watch => {
    const watch = { id, isCreated: false, isCanceled: false, sentAt: 0, messagesAtSending: 0 } as Watch;
    pending.add(watch);
    return watch;
  };
  return { pending, add, sent, timedOut, blocked, server };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('PendingCreates', () => {
  it('sends one create until the server has kept a requested id, and then all', () => {
    const { pending, add, sent } = creates();
    const watches = [1, 2, 3].map(add);
    expect(sent).toEqual([1]);

    expect(pending.answered(1)).toBe(watches[0]);
    expect(sent).toEqual([1, 2, 3]);
    add(4);
    expect(sent).toEqual([1, 2, 3, 4]);
  });

  it('finds the create of an answer by the id, whatever the order', () => {
    const { pending, add } = creates();
    const watches = [1, 2, 3].map(add);
    pending.answered(1);

    expect(pending.answered(3)).toBe(watches[2]);
    expect(pending.isEmpty).toBe(false);
    expect(pending.answered(2)).toBe(watches[1]);
    expect(pending.isEmpty).toBe(true);
  });

  it('ignores an id that was not requested, was answered before, or is not sent yet', () => {
    const { pending, add, sent } = creates();
    [1, 2].map(add);

    expect(pending.answered(7)).toBeUndefined();
    expect(pending.answered(2)).toBeUndefined();
    expect(sent).toEqual([1]);
    pending.answered(1);
    expect(pending.answered(1)).toBeUndefined();
  });

  it('takes an answer without an id for the oldest create, which verifies nothing', () => {
    const { pending, add, sent } = creates();
    const watches = [1, 2, 3].map(add);

    expect(pending.answered(NO_WATCH)).toBe(watches[0]);
    expect(sent).toEqual([1, 2]);
    expect(pending.answered(2)).toBe(watches[1]);
    expect(pending.answered(NO_WATCH)).toBe(watches[2]);
    expect(pending.answered(NO_WATCH)).toBeUndefined();
  });

  it('sends one at a time to a server that assigns ids, and takes any answer for the oldest create', () => {
    const { pending, add, sent, server } = creates();
    const watches = [1, 2, 3].map(add);
    server.isSequential = true;

    expect(pending.answered(70)).toBe(watches[0]);
    expect(sent).toEqual([1, 2]);
    expect(pending.answered(1)).toBe(watches[1]);
    expect(sent).toEqual([1, 2, 3]);
  });

  it('takes back only a create that was not sent', () => {
    const { pending, add, sent } = creates();
    const [first, second] = [add(1), add(2)];

    expect([pending.withdraw(second), pending.withdraw(first)]).toEqual([true, false]);
    pending.answered(1);
    expect(sent).toEqual([1]);
    expect(pending.isEmpty).toBe(true);
  });

  it('reports each create once that has no answer in time, counted from its sending', async () => {
    const { pending, add, timedOut } = creates();
    [1, 2].map(add);
    await vi.advanceTimersByTimeAsync(1_000);
    pending.answered(1);
    await vi.advanceTimersByTimeAsync(500);
    add(3);

    await vi.advanceTimersByTimeAsync(LIMIT_MS - 501);
    expect(timedOut).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(timedOut).toEqual([2]);
    await vi.advanceTimersByTimeAsync(500);
    expect(timedOut).toEqual([2, 3]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(timedOut).toEqual([2, 3]);
  });

  it.each(['waited for', 'cancelled'])(
    'gives up the creates behind one without an answer that was %s',
    async (first) => {
      const { pending, add, sent, blocked } = creates();
      add(1).isCanceled = first === 'cancelled';
      await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
      [2, 3].map(add);
      expect(blocked).toEqual([]);

      await vi.advanceTimersByTimeAsync(LIMIT_MS);
      expect(blocked).toEqual([2, 3]);
      pending.answered(1);
      expect(sent).toEqual([1]);
      expect(pending.isEmpty).toBe(true);
    },
  );

  it('still finds the create of an answer that comes too late', async () => {
    const { pending, add, timedOut } = creates();
    const watch = add(1);
    await vi.advanceTimersByTimeAsync(LIMIT_MS);

    expect(timedOut).toEqual([1]);
    expect(pending.answered(1)).toBe(watch);
  });

  it('reports nothing for creates that were answered in time or cancelled', async () => {
    const { pending, add, timedOut } = creates();
    const [, second] = [add(1), add(2)];
    pending.answered(1);
    second.isCanceled = true;
    await vi.advanceTimersByTimeAsync(60_000);

    expect(timedOut).toEqual([]);
    add(3);
    await vi.advanceTimersByTimeAsync(LIMIT_MS);
    expect(timedOut).toEqual([3]);
  });

  it('forgets everything when the stream ends', async () => {
    const { pending, add, timedOut, sent } = creates();
    [1, 2].map(add);
    pending.end();
    await vi.advanceTimersByTimeAsync(60_000);

    expect([pending.isEmpty, sent, timedOut]).toEqual([true, [1], []]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits longer while the link is busy with other data, but not for ever', () => {
    const { add, timedOut, server } = creates();
    add(1);
    for (let waited = 0; waited < 32; waited += 1) {
      expect(timedOut).toEqual([]);
      server.bytes += 1_000_000;
      vi.advanceTimersByTime(LIMIT_MS);
    }
    expect(timedOut).toEqual([1]);
  });

  it('waits no longer when the link has become quiet', () => {
    const { add, timedOut, server } = creates();
    add(1);
    server.bytes += 1_000_000;
    vi.advanceTimersByTime(2 * LIMIT_MS - 1);
    expect(timedOut).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(timedOut).toEqual([1]);
  });

  it('waits as long as ever for the creates after an answer', () => {
    const { pending, add, timedOut, server } = creates();
    add(1);
    server.bytes += 1_000_000;
    vi.advanceTimersByTime(LIMIT_MS);
    pending.answered(1);
    add(2);
    vi.advanceTimersByTime(LIMIT_MS);
    expect(timedOut).toEqual([2]);
  });
});
