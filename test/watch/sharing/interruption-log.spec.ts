import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { ConnectionError, PermissionDeniedError } from '../../../lib/etcd-trigger.errors.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { InterruptionLog } from '../../../lib/watch/sharing/interruption-log.js';

describe('the log of interruptions', () => {
  const lines: string[] = [];
  const print = (message: string): void => void lines.push(message.replace(/ \[service.*/, ''));
  const logger = { log: print, warn: print, error: print };
  const log = (): InterruptionLog =>
    new InterruptionLog(new InstanceLog(logger, { serviceName: 'test', podName: 'test' }));
  const ranges = Array.from({ length: 300 }, (_, index) => KeyRange.of(`/app/${index}/`));
  const lost = new ConnectionError('the connection was lost');

  beforeEach(() => {
    vi.useFakeTimers();
    lines.length = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('reports a short interruption of all targets in one line', () => {
    const interruptions = log();
    for (const range of ranges) interruptions.interrupted(range, lost);
    vi.advanceTimersByTime(200);
    for (const range of ranges) interruptions.following(range);
    vi.advanceTimersByTime(5_000);

    expect(lines).toEqual(['300 targets: following again after an interruption of 200 ms (the connection was lost)']);
  });

  it('reports an outage when it lasts, and its end', () => {
    const interruptions = log();
    for (const range of ranges) interruptions.interrupted(range, lost);
    vi.advanceTimersByTime(10_000);
    for (const range of ranges) interruptions.interrupted(range, new ConnectionError('nothing listens'));
    for (const range of ranges) interruptions.following(range);

    expect(lines).toEqual([
      '300 targets: interrupted, retrying (the connection was lost)',
      '300 targets: following again after 10000 ms',
    ]);
  });

  it('reports a denied target on its own, and does not wait for it', () => {
    const interruptions = log();
    const [denied, one, other] = ranges as [KeyRange, KeyRange, KeyRange];
    interruptions.interrupted(denied, new PermissionDeniedError('permission denied'));
    for (const range of [one, other]) interruptions.interrupted(range, lost);
    for (const range of [one, other]) interruptions.following(range);
    interruptions.following(denied);

    expect(lines).toEqual([
      'prefix "/app/0/": interrupted, retrying (permission denied)',
      '2 targets: following again after an interruption of 0 ms (the connection was lost)',
      'prefix "/app/0/": following again',
    ]);
  });

  it('forgets a target that is closed while it is interrupted', () => {
    const interruptions = log();
    const [one, other] = ranges as [KeyRange, KeyRange];
    for (const range of [one, other]) interruptions.interrupted(range, lost);
    interruptions.closed(one);
    interruptions.following(other);

    expect(lines).toEqual([
      'prefix "/app/1/": following again after an interruption of 0 ms (the connection was lost)',
    ]);
  });
});
