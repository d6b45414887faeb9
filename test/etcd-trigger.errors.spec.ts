import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  BootError,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
  InvalidConfigError,
  RevisionConflictError,
  UnknownOutcomeError,
  WriteError,
} from '../lib/etcd-trigger.errors.js';

describe('errors', () => {
  it('share a base class, and have a code and a name', () => {
    const timeout = new ConnectionTimeoutError('no answer within 5000 ms', { key: '/a', revision: 7 });

    expect(timeout).toBeInstanceOf(EtcdTriggerError);
    expect(timeout).toBeInstanceOf(ConnectionError);
    expect(new UnknownOutcomeError('lost')).toBeInstanceOf(WriteError);
    expect(timeout).toMatchObject({
      name: 'ConnectionTimeoutError',
      code: 'ETCD_CONNECTION_TIMEOUT',
      key: '/a',
      revision: 7,
      message: 'no answer within 5000 ms',
    });
  });

  it('names every violation by property path and constraint', () => {
    const error = new InvalidConfigError('"/config/db"', [
      { path: 'port', constraints: ['isInt', 'min'] },
      { path: '', constraints: ['json'] },
    ]);

    expect(error.message).toBe('"/config/db" is not valid: port [isInt, min]; (document) [json]');
  });

  it('lists every problem of a failed boot', () => {
    const error = new BootError([
      { cluster: 'default', subject: '/a', reason: 'missing', message: '"/a" does not exist' },
      { cluster: 'default', subject: '/b', reason: 'invalid', message: '"/b" is not valid' },
    ]);

    expect(error.message).toContain('2 problems:\n  - "/a" does not exist\n  - "/b" is not valid');
  });

  it('hides the current value of a conflict from inspection and JSON', () => {
    const error = new RevisionConflictError('/config/db', 'at revision 3', 5, () => ({ password: 'hunter2' }));

    expect(error.current()).toEqual({ password: 'hunter2' });
    expect(inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error)).not.toContain('hunter2');
  });
});
