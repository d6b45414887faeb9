import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SnapshotSaver } from '../../../lib/store/snapshot/snapshot-saver.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { CollectingLogger } from '../../support/collecting-logger.js';

describe('saving a snapshot', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const savedBy = (save: () => Promise<void>, refreshMs?: number) => {
    const logger = new CollectingLogger();
    const log = new InstanceLog(logger, { serviceName: 's', podName: 'p' });
    return { logger, saver: new SnapshotSaver({ save, path: '/x', log, delayMs: 500, refreshMs }) };
  };

  it('collects the changes within its delay, and saves later changes again', async () => {
    const save = vi.fn(() => Promise.resolve());
    const { saver } = savedBy(save);

    for (let change = 0; change < 100; change += 1) saver.changed();
    await vi.advanceTimersByTimeAsync(499);
    expect(save).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(save).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(save).toHaveBeenCalledTimes(1);
    saver.changed();
    await vi.advanceTimersByTimeAsync(500);

    expect(save).toHaveBeenCalledTimes(2);
  });

  it('continues after a disk failure, and reports its start and its end once', async () => {
    let isFull = true;
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const save = vi.fn(() => (isFull ? Promise.reject(full) : Promise.resolve()));
    const { saver, logger } = savedBy(save);

    saver.changed();
    await vi.advanceTimersByTimeAsync(35_000);
    expect(save.mock.calls.length).toBeGreaterThan(2);
    isFull = false;
    await vi.advanceTimersByTimeAsync(10_000);

    expect(logger.lines.map(({ level, text }) => `${level} ${text.replace(/ \[service.*/, '')}`)).toEqual([
      'warn the offline snapshot /x cannot be written (ENOSPC); the write is retried',
      'log the offline snapshot /x can be written again',
    ]);
  });

  it('saves pending changes on close, and nothing after that', async () => {
    const save = vi.fn(() => Promise.resolve());
    const { saver } = savedBy(save);
    saver.changed();

    await saver.close();
    saver.changed();
    await vi.advanceTimersByTimeAsync(60_000);

    expect(save).toHaveBeenCalledTimes(1);
  });

  it('does not wait forever for a disk that does not respond', async () => {
    const { saver } = savedBy(() => new Promise(() => undefined));
    saver.changed();

    const closed = saver.close();
    await vi.advanceTimersByTimeAsync(2_000);

    await expect(closed).resolves.toBeUndefined();
  });

  it('repeats without a change, so that the file does not expire', async () => {
    const save = vi.fn(() => Promise.resolve());
    const { saver } = savedBy(save, 3_000);
    saver.changed();

    await vi.advanceTimersByTimeAsync(500 + 3 * 3_000);

    expect(save).toHaveBeenCalledTimes(4);
  });
});
