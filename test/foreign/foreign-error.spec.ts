import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { describeThrown, errorClass, isA, messageOf } from '../../lib/foreign/foreign-error.js';
import { CANARY, STRANGE } from '../support/strange-errors.js';

const withStack = (error: Error, stack: string): Error => Object.assign(error, { stack });

describe('a description of what application code threw', () => {
  it.each(STRANGE)('never throws, and contains no message: %s', (_, thrown) => {
    expect(describeThrown(thrown)).not.toContain(CANARY);
    expect(errorClass(thrown)).not.toContain(CANARY);
    expect(typeof messageOf(thrown)).toBe('string');
    expect(typeof isA(thrown, Error)).toBe('boolean');
  });

  it('names the class and the place', () => {
    expect(describeThrown(new TypeError('x'))).toMatch(/^TypeError at .*foreign-error\.spec\.ts:\d+:\d+\)?$/);
    expect(describeThrown(withStack(new TypeError(), 'TypeError\n    at f (/app/x.js:1:2)'))).toBe(
      'TypeError at f (/app/x.js:1:2)',
    );
    expect(describeThrown(Object.assign(new Error('x'), { code: 'E_X' }))).toMatch(/^Error at .*\.spec\.ts/);
    expect(describeThrown(runInNewContext('new RangeError("x")'))).toMatch(/^RangeError at /);
  });

  it.each([
    ['a line of the message', new Error(`bad\n    at ${CANARY}`)],
    ['a line of the message with a position', new Error(`bad\n    at ${CANARY} (/x.js:1:2)`)],
    ['a line of a message that begins with one', new Error(`\n    at ${CANARY}:1:2`)],
    ['a line of a message that was replaced', Object.assign(new Error(`\n    at ${CANARY}:1:2`), { message: '' })],
    ['a stack of text', withStack(new Error('bad'), `${CANARY}\n    at ${CANARY}:1:2`)],
  ])('does not take %s for a place', (_, error) => {
    expect(describeThrown(error)).not.toContain(CANARY);
    expect(describeThrown(error)).toMatch(/^Error( at .*foreign-error\.spec\.ts.*)?$/);
  });

  it('names the type of a value that is not an error', () => {
    expect(describeThrown(null)).toBe('null, not an Error');
    expect(describeThrown('x')).toBe('a string, not an Error');
    expect(describeThrown({})).toBe('an object, not an Error');
  });
});
