import { InvalidOptionsError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { writeArguments } from '../../../lib/store/writing/write-arguments.js';

class Limits {}
const schema = z.object({});

describe('the arguments of a write', () => {
  it.each([
    ['a class', Limits],
    ['a schema', schema],
  ])('may begin with %s', (_, type) => {
    expect(writeArguments('/k', [type, { a: 1 }, { ifAbsent: true }])).toEqual({
      type,
      value: { a: 1 },
      options: { ifAbsent: true },
    });
  });

  it('may begin with the value', () => {
    const value = { a: 1 };
    expect(writeArguments('/k', [value])).toEqual({ type: undefined, value, options: undefined });
  });

  it('refuse a class or schema that is undefined', () => {
    const put = (): unknown => writeArguments('/k', [undefined, { a: 1 }]);
    expect(put).toThrow(InvalidOptionsError);
    expect(put).toThrow('put "/k": the class or schema is undefined: check for a circular import');
  });
});
