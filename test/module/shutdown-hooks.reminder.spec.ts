import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ShutdownHooksReminder } from '../../lib/module/shutdown-hooks.reminder.js';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { CollectingLogger } from '../support/collecting-logger.js';

describe('forgotten shutdown hooks', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const after = (listeners: number, act: (reminder: ShutdownHooksReminder) => void): string => {
    const logger = new CollectingLogger();
    const log = new InstanceLog(logger, { serviceName: 's', podName: 'p' });
    const reminder = new ShutdownHooksReminder(log, (signal) => (signal === 'SIGTERM' ? listeners : 0));
    act(reminder);
    vi.runAllTimers();
    return logger.text;
  };

  it('are said once, a while after the start', () => {
    const said = after(0, (reminder) => {
      reminder.started();
    });
    expect(said.match(/call app.enableShutdownHooks\(\)/g)).toHaveLength(1);
  });

  it('are no matter where somebody listens, nor in an application that has ended', () => {
    expect(
      after(1, (reminder) => {
        reminder.started();
      }),
    ).toBe('');
    expect(
      after(0, (reminder) => {
        reminder.started();
        reminder.stopped();
      }),
    ).toBe('');
  });
});
