import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DtoSerializer } from '../../lib/dto/dto-serializer.js';
import { SchemaParser } from '../../lib/dto/schema-parser.js';
import type { StandardSchema } from '../../lib/dto/standard-schema.js';
import { valueTypeOf } from '../../lib/dto/value-type.js';
import { InvalidOptionsError } from '../../lib/etcd-trigger.errors.js';

const SECRET = 'hunter2-SECRET';

const zodDatabase = z.object({
  host: z.string().max(20),
  port: z.number().int().min(1),
  hosts: z.array(z.object({ name: z.string() })).optional(),
});
const valibotDatabase = v.object({
  host: v.pipe(v.string(), v.maxLength(20)),
  port: v.pipe(v.number(), v.integer(), v.minValue(1)),
  hosts: v.optional(v.array(v.object({ name: v.string() }))),
});
const arktypeDatabase = type({
  host: 'string <= 20',
  port: 'number.integer >= 1',
  'hosts?': [{ name: 'string' }, '[]'],
});

const SCHEMAS: [string, StandardSchema<unknown, object>][] = [
  ['zod', zodDatabase],
  ['valibot', valibotDatabase],
  ['arktype', arktypeDatabase],
];

const parse = (schema: StandardSchema<unknown, object>, text: string, asyncTimeoutMs = 5_000) =>
  new SchemaParser(schema, { asyncTimeoutMs }).parse(Buffer.from(text));

const violationsOf = async (result: ReturnType<typeof parse>) => {
  const settled = await result;
  return settled.ok ? [] : settled.violations;
};

/** A schema that answers every document with the same result, or throws. */
const answering = (validate: () => unknown, vendor = 'own'): StandardSchema<unknown, object> =>
  ({ '~standard': { version: 1, vendor, validate } }) as StandardSchema<unknown, object>;

describe.each(SCHEMAS)('a document that is validated by a schema of %s', (vendor, schema) => {
  it('is a frozen value if it is valid', () => {
    const result = parse(schema, '{"host":"a","port":1,"hosts":[{"name":"b"}]}');

    expect(result).toEqual({ ok: true, value: { host: 'a', port: 1, hosts: [{ name: 'b' }] }, stripped: [] });
    const { value } = result as { value: { hosts: object[] } };
    expect([value, value.hosts, value.hosts[0]].map(Object.isFrozen)).toEqual([true, true, true]);
  });

  it('is rejected with the path and the code of every violation, and without messages and values', () => {
    const result = parse(schema, `{"host":"${SECRET.repeat(3)}","port":"${SECRET}","hosts":[{"name":"b"},{}]}`);

    const codes = {
      zod: ['too_big', 'invalid_type', 'invalid_type'],
      valibot: ['max_length', 'number', 'object'],
      arktype: ['maxLength', 'domain', 'required'],
    }[vendor] as [string, string, string];
    expect(result).toEqual({
      ok: false,
      violations: expect.toSatisfy((violations: { path: string; constraints: string[] }[]) => {
        expect(Object.fromEntries(violations.map(({ path, constraints }) => [path, constraints]))).toEqual({
          host: [codes[0]],
          port: [codes[1]],
          'hosts[1].name': [codes[2]],
        });
        return true;
      }) as unknown,
    });
    expect(JSON.stringify(result)).not.toContain('SECRET');
  });

  it.each([
    ['{"host":"a","port":1,"__proto__":{}}', '["__proto__"]', 'forbiddenKey'],
    ['{"host":"a","port":9007199254740993}', 'port', 'safeInteger'],
    ['{"host":"a","port":1e999}', 'port', 'finite'],
    ['{"host":"a","host":"b","port":1}', '', 'duplicateKey'],
    ['[]', '', 'object'],
    ['{', '', 'json'],
    [`{"host":${'['.repeat(70)}${']'.repeat(70)}}`, `host${'[0]'.repeat(63)}`, 'depth'],
  ])('obeys the rules for every document: %s', async (text, path, constraint) => {
    const violations = await violationsOf(parse(schema, text));

    expect(violations).toHaveLength(1);
    expect(violations[0]?.constraints).toEqual([constraint]);
    expect(violations[0]?.path.replace(/^__proto__$/, '["__proto__"]')).toBe(path);
  });

  it('obeys the limits for documents', () => {
    const parser = new SchemaParser(schema, { limits: { values: 4 } });

    expect(parser.parse(Buffer.from('{"host":"a","port":1,"hosts":[{"name":"b"}]}'))).toEqual({
      ok: false,
      violations: [{ path: '', constraints: ['limits.values'] }],
    });
  });

  it('is written only if a reader accepts it', () => {
    const serializer = new DtoSerializer(new SchemaParser(schema));

    const written = serializer.serialize({ host: 'a', port: 1 });
    expect(written).toMatchObject({ ok: true, value: { host: 'a', port: 1 } });
    expect(String((written as { bytes: Buffer }).bytes)).toBe('{"host":"a","port":1}');
    expect(serializer.serialize({ host: 'a', port: 0 })).toMatchObject({ ok: false });
  });
});

describe('a schema', () => {
  it('may transform its documents, and its output is frozen deeply', () => {
    const schema = z.object({
      tags: z.array(z.string()).transform((tags) => new Set(tags)),
      since: z.iso.datetime().transform((text) => new Date(text)),
    });
    const { value } = parse(schema, '{"tags":["a"],"since":"2026-01-01T00:00:00Z"}') as {
      value: z.output<typeof schema>;
    };

    expect(value.tags.has('a')).toBe(true);
    expect(() => value.tags.add('b')).toThrow('frozen');
    expect(() => value.since.setTime(0)).toThrow('frozen');
  });

  it('that returns bytes, or no object, is a violation', () => {
    const bytes = z.object({ key: z.string().transform((text) => Buffer.from(text, 'base64')) });
    const text = z.object({ value: z.string() }).transform(({ value }) => value) as unknown as StandardSchema<
      unknown,
      object
    >;

    expect(parse(bytes, '{"key":"AAAA"}')).toEqual({
      ok: false,
      violations: [{ path: 'key', constraints: ['binary'] }],
    });
    expect(parse(text, '{"value":"x"}')).toEqual({ ok: false, violations: [{ path: '', constraints: ['object'] }] });
  });

  it('may be asynchronous, and has the time limit of asynchronous validators', async () => {
    const isFree = (free: boolean) => z.object({ port: z.number().refine(() => Promise.resolve(free)) });
    const endless = v.pipeAsync(
      v.object({ port: v.number() }),
      v.checkAsync(() => new Promise(() => undefined)),
    );

    expect(await parse(isFree(true), '{"port":1}')).toEqual({ ok: true, value: { port: 1 }, stripped: [] });
    expect(await parse(isFree(false), '{"port":1}')).toEqual({
      ok: false,
      violations: [{ path: 'port', constraints: ['custom'] }],
    });
    expect(await parse(endless, '{"port":1}', 20)).toEqual({
      ok: false,
      violations: [{ path: '', constraints: ['timeout'] }],
    });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error(SECRET);
      },
    ],
    ['rejects', () => Promise.reject(new Error(SECRET))],
    ['returns nothing', () => undefined],
    ['returns neither a value nor issues', () => ({})],
    ['resolves with nothing', () => Promise.resolve(undefined)],
    ['has issues that cannot be read', () => ({ issues: [null] })],
  ])('that %s is the violation "validator"', async (_, validate) => {
    expect(await parse(answering(validate), '{}')).toEqual({
      ok: false,
      violations: [{ path: '', constraints: ['validator'] }],
    });
  });

  it.each<[string, unknown]>([
    [
      'a getter that throws',
      {
        get issues() {
          throw new Error(SECRET);
        },
      },
    ],
    [
      'an issue whose path throws',
      {
        issues: [
          {
            message: '',
            get path() {
              throw new Error(SECRET);
            },
          },
        ],
      },
    ],
    ['issues that are no list', { issues: 1 }],
    ['a text', SECRET],
    ['a function', () => ({ value: {} })],
    [
      'a thenable that calls back with an error',
      {
        then: (_: unknown, reject: (error: Error) => void) => {
          reject(new Error(SECRET));
        },
      },
    ],
    [
      'a thenable whose then throws',
      {
        then: () => {
          throw new Error(SECRET);
        },
      },
    ],
    [
      'a Proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error(SECRET);
          },
        },
      ),
    ],
  ])('that returns %s is the violation "validator"', async (_, result) => {
    expect(
      await parse(
        answering(() => result),
        '{}',
      ),
    ).toEqual({
      ok: false,
      violations: [{ path: '', constraints: ['validator'] }],
    });
  });

  it('whose members throw is the violation "validator"', () => {
    const hostile = {
      get '~standard'() {
        throw new Error(SECRET);
      },
    } as unknown as StandardSchema<unknown, object>;

    expect(parse(hostile, '{}')).toEqual({ ok: false, violations: [{ path: '', constraints: ['validator'] }] });
  });

  it('may return a result of a class, and a thenable that is no promise', async () => {
    class Success {
      get value() {
        return { port: 1 };
      }
    }
    const thenable = {
      then: (resolve: (result: unknown) => void) => {
        resolve(new Success());
      },
    };

    expect(
      parse(
        answering(() => new Success()),
        '{}',
      ),
    ).toMatchObject({ ok: true, value: { port: 1 } });
    expect(
      await parse(
        answering(() => thenable),
        '{}',
      ),
    ).toMatchObject({ ok: true, value: { port: 1 } });
  });

  it('that returns a promise as the value is a violation, and its rejection is handled', async () => {
    for (const value of [
      Promise.reject(new Error(SECRET)),
      Promise.resolve({}),
      new Proxy(
        {},
        {
          get: () => {
            throw new Error(SECRET);
          },
        },
      ),
    ]) {
      const violations = await violationsOf(
        parse(
          answering(() => ({ value })),
          '{}',
        ),
      );
      expect(violations.map(({ path, constraints }) => [path, constraints.length])).toEqual([['', 1]]);
    }
  });

  it('with issues without an end is rejected with bounded violations', async () => {
    function* endless(issue: (index: number) => object) {
      for (let index = 0; ; index += 1) yield issue(index);
    }
    const violationsFor = (issues: unknown) =>
      violationsOf(
        parse(
          answering(() => ({ issues }), 'zod'),
          '{}',
        ),
      );

    expect(await violationsFor(endless(() => ({ path: ['a'] })))).toEqual([
      { path: 'a', constraints: ['invalid'] },
      { path: '', constraints: ['more'] },
    ]);
    const [codes] = await violationsFor(endless((index) => ({ path: ['a'], code: `c${index}` })));
    expect([codes?.constraints.length, codes?.constraints.at(-1)]).toEqual([21, 'more']);
    const [long] = await violationsFor([{ path: endless(() => ({ key: 'x'.repeat(300) })) }]);
    expect(long?.path.length).toBeLessThan(1_000);
  });

  it('that makes names of values has them hidden in the paths', async () => {
    const Users = z.object({
      users: z
        .array(z.tuple([z.union([z.string(), z.number()]), z.number()]))
        .transform((users) => new Map(users))
        .pipe(z.map(z.union([z.string(), z.number()]), z.number().max(5))),
    });
    const text = JSON.stringify({
      users: [
        [SECRET, 10],
        [12345, 10],
        ['users', 10],
      ],
    });

    expect(await violationsOf(parse(Users, text))).toEqual([
      { path: 'users["(hidden)"]', constraints: ['too_big'] },
      { path: 'users.users', constraints: ['too_big'] },
    ]);
    const objects = [{ path: [{ key: { toString: () => SECRET } }, 1.5] }, { path: [Symbol(SECRET)] }];
    expect(
      await violationsOf(
        parse(
          answering(() => ({ issues: objects })),
          `{"a":"${SECRET}"}`,
        ),
      ),
    ).toEqual([
      { path: '["(hidden)"]["(hidden)"]', constraints: ['invalid'] },
      { path: '["(hidden)"]', constraints: ['invalid'] },
    ]);
  });

  it('that changes its document changes no other value', () => {
    const seen: unknown[] = [];
    const changing = answering(() => undefined);
    const schema = {
      '~standard': {
        ...changing['~standard'],
        validate: (value: Record<string, unknown>) => {
          seen.push(value.a);
          value.a = 'changed';
          return { value };
        },
      },
    } as unknown as StandardSchema<unknown, object>;
    const parser = new SchemaParser(schema);
    const bytes = Buffer.from('{"a":1}');

    expect([parser.parse(bytes), parser.parse(bytes)]).toMatchObject([
      { value: { a: 'changed' } },
      { value: { a: 'changed' } },
    ]);
    expect(seen).toEqual([1, 1]);
    expect(parser.documentOf({ value: undefined, bytes })).toEqual({ a: 1 });
  });

  it('of an unknown library has violations without codes, because these could be values', () => {
    const issues = [
      { message: SECRET, code: SECRET, type: SECRET, path: ['a', { key: 0 }] },
      { message: SECRET, path: [Symbol('b')] },
    ];

    expect(
      parse(
        answering(() => ({ issues })),
        '{}',
      ),
    ).toEqual({
      ok: false,
      violations: [
        { path: 'a[0]', constraints: ['invalid'] },
        { path: '["Symbol(b)"]', constraints: ['invalid'] },
      ],
    });
    expect(
      parse(
        answering(() => ({ issues: [] })),
        '{}',
      ),
    ).toEqual({
      ok: false,
      violations: [{ path: '', constraints: ['invalid'] }],
    });
  });

  it('of a known library has no code that is not an identifier', () => {
    const issues = [{ message: '', code: `${SECRET} is wrong`, path: ['a'] }];

    expect(
      parse(
        answering(() => ({ issues }), 'zod'),
        '{}',
      ),
    ).toEqual({
      ok: false,
      violations: [{ path: 'a', constraints: ['invalid'] }],
    });
  });

  it('reports at most 100 paths', async () => {
    const schema = z.object({ list: z.array(z.string()) });
    const violations = await violationsOf(parse(schema, JSON.stringify({ list: Array(1_000).fill(1) })));

    expect(violations).toHaveLength(101);
    expect(violations.at(-1)).toEqual({ path: '', constraints: ['more'] });
  });
});

describe('the type of a definition', () => {
  class Empty {}

  it.each<[string, object, string]>([
    ['both', { type: Empty, schema: zodDatabase }, 'key "/a" has both a "type" and a "schema"; give one of them'],
    ['none', {}, 'the definition of key "/a" needs a class as its "type", or a "schema"'],
    [
      'a schema as type',
      { type: zodDatabase },
      'the "type" of key "/a" is a schema of zod: give it as "schema" instead',
    ],
    [
      'arktype as type',
      { type: arktypeDatabase },
      'the "type" of key "/a" is a schema of arktype: give it as "schema" instead',
    ],
    [
      'a class as schema',
      { schema: Empty },
      'the "schema" of key "/a" is not a Standard Schema, such as those of zod, valibot and arktype',
    ],
    [
      'no object',
      { schema: 'zod' },
      'the "schema" of key "/a" is not a Standard Schema, such as those of zod, valibot and arktype',
    ],
    [
      'another version',
      { schema: { '~standard': { version: 2 } } },
      'the "schema" of key "/a" does not implement version 1 of Standard Schema: update its library',
    ],
    [
      'an object whose members throw',
      {
        schema: {
          get '~standard'() {
            throw new Error(SECRET);
          },
        },
      },
      'the "schema" of key "/a" is not a Standard Schema, such as those of zod, valibot and arktype',
    ],
    [
      'an object whose version throws',
      {
        schema: {
          '~standard': {
            get version() {
              throw new Error(SECRET);
            },
          },
        },
      },
      'the "schema" of key "/a" does not implement version 1 of Standard Schema: update its library',
    ],
    [
      'a schema as type, without the name of a library',
      { type: { '~standard': { version: 1, vendor: Object.create(null) as unknown } } },
      'the "type" of key "/a" is a schema of an unknown library: give it as "schema" instead',
    ],
  ])('is refused if it is %s', (_, given, message) => {
    expect(() => valueTypeOf('key "/a"', given)).toThrow(new InvalidOptionsError(message));
  });

  it('is the class or the schema', () => {
    expect(SCHEMAS.map(([, schema]) => valueTypeOf('key "/a"', { schema }))).toEqual(
      SCHEMAS.map(([, schema]) => schema),
    );
  });
});
