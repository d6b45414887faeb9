import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import * as errors from '../lib/etcd-trigger.errors.js';
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

  it('print the message, code, key, revision and one cause, and nothing twice', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
      code: 'ECONNREFUSED',
      metadata: {},
    });
    const unreachable = new ConnectionError('no connection to etcd', { cause: refused });
    const conflict = new RevisionConflictError('/db', 'at revision 3', 5, () => undefined);
    const problems = ['/a', '/b'].map((subject) => ({
      cluster: 'default',
      subject,
      reason: 'unreachable' as const,
      message: `"${subject}": ${unreachable.message}`,
      error: unreachable,
    }));
    const withoutStack = (error: Error): string => inspect(error).replaceAll(/\n {4}at .*/g, '');

    expect(inspect(new BootError(problems)).split('\n')).toEqual([
      'BootError [ETCD_BOOT]: the application cannot start, 2 problems:',
      '  - "/a": no connection to etcd',
      '  - "/b": no connection to etcd',
      '    cause: Error [ECONNREFUSED]: connect ECONNREFUSED 127.0.0.1:1',
    ]);
    expect(new BootError(problems).problems[1]?.error).toBe(unreachable);
    expect(inspect(new BootError(problems), { customInspect: false })).not.toContain('metadata: {},');
    expect(withoutStack(conflict)).toBe(
      `RevisionConflictError [ETCD_REVISION_CONFLICT]: ${conflict.message}\n    key: '/db', revision: 5`,
    );
    expect(inspect(conflict)).toMatch(/\n {4}at .*etcd-trigger\.errors\.spec/);
    expect(inspect(new ConnectionTimeoutError('no answer'))).not.toMatch(/undefined|key|revision/);
  });

  it('prints the stack of a cause without a code, because it is a bug', () => {
    expect(
      inspect(new ConnectionError('failed unexpectedly', { cause: new TypeError('x is not a function') })),
    ).toMatch(/cause: TypeError: x is not a function\n +at /);
  });

  it('are recognised across two copies of the package, by class', async () => {
    vi.resetModules();
    const copy = await import('../lib/etcd-trigger.errors.js');
    class OwnError extends WriteError {}
    const conflict = new copy.RevisionConflictError('/db', 'absent', 5, () => undefined);

    expect(copy.WriteError).not.toBe(WriteError);
    expect(conflict).toBeInstanceOf(RevisionConflictError);
    expect(conflict).toBeInstanceOf(WriteError);
    expect(conflict).toBeInstanceOf(EtcdTriggerError);
    expect(conflict).not.toBeInstanceOf(UnknownOutcomeError);
    expect(conflict).not.toBeInstanceOf(OwnError);
    expect(new copy.WriteError('x')).not.toBeInstanceOf(OwnError);
    expect(new OwnError('x')).toBeInstanceOf(copy.WriteError);
    expect(new Error('x')).not.toBeInstanceOf(EtcdTriggerError);
  });

  it('are all recognised: none of the exported classes is left out', () => {
    const classes = Object.values(errors).filter((value) => typeof value === 'function');

    expect(classes.length).toBeGreaterThan(15);
    for (const type of classes) {
      expect(Object.getOwnPropertyDescriptor(type, Symbol.for('nestjs-etcd-trigger:error-family'))?.value).toBe(
        type.name,
      );
    }
  });

  it('hides the current value of a conflict from inspection and JSON', () => {
    const error = new RevisionConflictError('/config/db', 'at revision 3', 5, () => ({ password: 'hunter2' }));

    expect(error.current()).toEqual({ password: 'hunter2' });
    expect(inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error)).not.toContain('hunter2');
  });
});
