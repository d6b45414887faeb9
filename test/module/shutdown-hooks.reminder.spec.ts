import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { ShutdownHooksReminder } from '../../lib/module/shutdown-hooks.reminder.js';
import { CollectingLogger } from '../support/collecting-logger.js';

describe('the reminder of shutdown hooks', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const warningsWith = (listeners: number, act: (reminder: ShutdownHooksReminder) => void): string => {
    const logger = new CollectingLogger();
    const log = new InstanceLog(logger, { serviceName: 's', podName: 'p' });
    const reminder = new ShutdownHooksReminder(log, (signal) => (signal === 'SIGTERM' ? listeners : 0));
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
});
