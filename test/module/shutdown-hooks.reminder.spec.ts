import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ClusterCron, ClusterLocks, type Election, InjectElection } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { type InterruptedWork, ShutdownHooksReminder } from '../../lib/module/shutdown-hooks.reminder.js';
import { CollectingLogger } from '../support/collecting-logger.js';

describe('the reminder of shutdown hooks', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const warningsWith = (
    listeners: number,
    act: (reminder: ShutdownHooksReminder) => void,
    work: InterruptedWork = { handlers: true, coordination: false },
  ): string => {
    const logger = new CollectingLogger();
    const log = new InstanceLog(logger, { serviceName: 's', podName: 'p' });
    const reminder = new ShutdownHooksReminder(
      log,
      () => work,
      (signal) => (signal === 'SIGTERM' ? listeners : 0),
    );
    act(reminder);
    vi.runAllTimers();
    return logger.text;
  };

  it('warns once if the process has no SIGTERM listener', () => {
    const warnings = warningsWith(0, (reminder) => {
      reminder.start();
    });
    expect(warnings.match(/call app.enableShutdownHooks\(\)/g)).toHaveLength(1);
  });

  it('does not warn if there is a listener, or if the application has stopped', () => {
    expect(
      warningsWith(1, (reminder) => {
        reminder.start();
      }),
    ).toBe('');
    expect(
      warningsWith(0, (reminder) => {
        reminder.start();
        reminder.stop();
      }),
    ).toBe('');
  });

  it.each([
    [{ handlers: true, coordination: false }, /stopping it interrupts running handlers: call/],
    [
      { handlers: false, coordination: true },
      /stopping it lets other instances wait until the lease .* has expired: call/,
    ],
    [{ handlers: true, coordination: true }, /interrupts running handlers and lets other instances wait/],
    [{ handlers: false, coordination: false }, /^$/],
  ])('names the work that would be interrupted: %j', (work, message) => {
    const start = (reminder: ShutdownHooksReminder): void => {
      reminder.start();
    };
    expect(warningsWith(0, start, work)).toMatch(message);
  });
});

/** Applications without a handler, in which one instance at a time does something. */
describe('an application without shutdown hooks', () => {
  @Injectable()
  class Leader {
    constructor(@InjectElection('job') readonly election: Election) {}
  }
  @Injectable()
  class Stock {
    constructor(readonly locks: ClusterLocks) {}
  }
  @Injectable()
  class Job {
    @ClusterCron('0 0 1 1 *', { name: 'job' })
    run(): void {
      // Never called.
    }
  }
  @Injectable()
  class Idle {}

  it.each([
    ['elections', Leader, true],
    ['locks', Stock, true],
    ['cron jobs', Job, true],
    ['nothing of that', Idle, false],
  ])('is reminded of them if it has %s', async (_, provider, isReminded) => {
    const listeners = process.listeners('SIGTERM');
    process.removeAllListeners('SIGTERM');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const logger = new CollectingLogger();
      const coordination = isReminded ? { coordination: { prefix: '/co' } } : {};
      const module = await Test.createTestingModule({
        imports: [EtcdTriggerTestingModule.forRoot({ logger, ...coordination })],
        providers: [provider],
      }).compile();
      await module.init();
      vi.advanceTimersByTime(10_000);
      expect(logger.text.includes('call app.enableShutdownHooks()')).toBe(isReminded);
      vi.useRealTimers();
      await module.close();
    } finally {
      vi.useRealTimers();
      for (const listener of listeners) process.on('SIGTERM', listener);
    }
  });
});
