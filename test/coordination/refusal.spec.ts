import { ConnectionError, PermissionDeniedError, UnknownOutcomeError, WriteError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { isRefusal } from '../../lib/coordination/refusal.js';

describe('a request of the coordination', () => {
  it.each([new PermissionDeniedError('no'), new WriteError('too large')])('is refused: %s', (error) => {
    expect(isRefusal(error)).toBe(true);
  });

  it.each([new ConnectionError('down'), new UnknownOutcomeError('lost'), new TypeError('a bug')])(
    'is tried again soon, because this is no refusal: %s',
    (error) => {
      expect(isRefusal(error)).toBe(false);
    },
  );
});
