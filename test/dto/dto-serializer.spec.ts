import { Expose, Transform, Type } from 'class-transformer';
import {
  Allow,
  IsDate,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  registerDecorator,
  ValidateNested,
} from 'class-validator';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { DtoParser } from '../../lib/dto/dto-parser.js';
import { z } from 'zod';
import { SchemaParser } from '../../lib/dto/schema-parser.js';
import type { ValueParser } from '../../lib/dto/value-parser.js';
import { DtoSerializer, type SerializeResult } from '../../lib/dto/dto-serializer.js';

class Limits {
  @IsNumber() rate!: number;
  @IsOptional() @IsInt() burst?: number;
}

class Gateway {
  @Expose({ name: 'display_name' }) @IsString() displayName!: string;
  @ValidateNested() @Type(() => Limits) limits!: Limits;
  @IsOptional() @Type(() => Date) @IsDate() since?: Date;
  @IsOptional() @IsObject() labels?: object;
  @IsOptional()
  @Transform(({ value }: { value?: bigint }) => value?.toString(), { toPlainOnly: true })
  @Transform(({ value }: { value?: string }) => value && BigInt(value), { toClassOnly: true })
  @Allow()
  id?: bigint;
}

const serialize = <T extends object>(type: new () => T, value: unknown) =>
  new DtoSerializer(new DtoParser(type)).serialize(value);

const gateway = (part: object = {}): Gateway =>
  Object.assign(new Gateway(), { displayName: 'x', limits: Object.assign(new Limits(), { rate: 1 }) }, part);

const outcome = (result: SerializeResult<object> | Promise<SerializeResult<object>>): unknown => {
  if (result instanceof Promise) return 'a promise';
  return result.ok
    ? result.bytes.toString()
    : result.violations.map(({ path, constraints }) => `${path}: ${constraints.join(', ')}`);
};

describe('a written value', () => {
  it('is serialized according to its decorators, and is read back as an equal, frozen instance', () => {
    const value = gateway({ since: new Date(0), id: 12n });

    const result = serialize(Gateway, value);

    expect(outcome(result)).toBe(
      '{"display_name":"x","limits":{"rate":1},"since":"1970-01-01T00:00:00.000Z","id":"12"}',
    );
    expect(result).toMatchObject({ ok: true, value, stripped: [] });
    expect(Object.isFrozen((result as { value: Gateway }).value.limits)).toBe(true);
    expect(Object.isFrozen(value)).toBe(false);
  });

  it('may be a plain object with the property names of the document', () => {
    expect(outcome(serialize(Gateway, { display_name: 'x', limits: { rate: 1, burst: undefined } }))).toBe(
      '{"display_name":"x","limits":{"rate":1}}',
    );
    expect(serialize(Gateway, { display_name: 'x', limits: { rate: 1, more: 2 } })).toMatchObject({
      ok: true,
      stripped: ['limits.more'],
    });
  });

  it('may be a frozen value that was read, also with a discriminator', () => {
    class Circle {
      @IsNumber() radius!: number;
    }
    class Drawing {
      @ValidateNested({ each: true })
      @Type(() => Object, { discriminator: { property: 'is', subTypes: [{ name: 'circle', value: Circle }] } })
      shapes!: Circle[];
    }
    const read = serialize(Drawing, { shapes: [{ is: 'circle', radius: 1 }] }) as { ok: true; value: Drawing };

    expect(outcome(serialize(Drawing, read.value))).toBe('{"shapes":[{"radius":1,"is":"circle"}]}');
  });

  it('is validated by the parser of the readers, including asynchronous validators', async () => {
    class Remote {
      url!: string;
    }
    registerDecorator({
      name: 'reachable',
      async: true,
      target: Remote,
      propertyName: 'url',
      validator: { validate: (value: unknown) => Promise.resolve(value === 'up') },
    });

    expect(outcome(serialize(Gateway, gateway({ displayName: 3 })))).toEqual(['displayName: isString']);
    expect(outcome(await serialize(Remote, { url: 'up' }))).toBe('{"url":"up"}');
    expect(outcome(await serialize(Remote, { url: 'down' }))).toEqual(['url: reachable']);
  });
});

describe('a value in the form of its class', () => {
  class Circle {
    @IsNumber() radius!: number;
  }
  class Drawing {
    @ValidateNested({ each: true })
    @Type(() => Object, { discriminator: { property: 'is', subTypes: [{ name: 'circle', value: Circle }] } })
    shapes!: (Circle | { is: string; radius: number })[];
  }
  const inForm = (type: new () => object, value: unknown): unknown =>
    outcome(new DtoSerializer(new DtoParser(type)).serialize(value, 'class'));

  it('is serialized according to its decorators, whatever its prototype', () => {
    const read: object = gateway({ since: new Date(0), id: 12n });
    const expected = '{"display_name":"x","limits":{"rate":2},"since":"1970-01-01T00:00:00.000Z","id":"12"}';

    expect(inForm(Gateway, { ...read, limits: { rate: 2 } })).toBe(expected);
    expect(inForm(Gateway, Object.assign(Object.create(null), read, { limits: { rate: 2 } }))).toBe(expected);
    expect(inForm(Gateway, { ...read, displayName: 3 })).toEqual(['displayName: isString']);
  });

  it('may contain instances of a discriminated class, and plain objects that name it', () => {
    const circle = Object.freeze(Object.assign(new Circle(), { radius: 1 }));

    expect(inForm(Drawing, { shapes: [circle, { is: 'circle', radius: 2 }] })).toBe(
      '{"shapes":[{"radius":1,"is":"circle"},{"is":"circle","radius":2}]}',
    );
    expect(inForm(Drawing, { shapes: [{ radius: 1 }] })).toEqual([': transform']);
  });
});

describe('a value that is laid over a document', () => {
  const over = async (parser: ValueParser<object>, value: unknown, head: unknown): Promise<unknown> =>
    outcome(await new DtoSerializer(parser).serializeOver(value, Buffer.from(JSON.stringify(head))));

  it('keeps unknown properties, also of nested objects, and replaces lists and known properties', async () => {
    const head = {
      display_name: 'a',
      limits: { rate: 1, burst: 2, more: { deep: [1] } },
      labels: { removed: 1 },
      list: [{ unknown: 1 }],
      since: null,
    };

    expect(await over(new DtoParser(Gateway), { displayName: 'b', limits: { rate: 3 }, labels: {} }, head)).toBe(
      '{"display_name":"b","limits":{"rate":3,"more":{"deep":[1]}},"labels":{},"list":[{"unknown":1}]}',
    );
    expect(await over(new DtoParser(Gateway, { unknown: 'refuse' }), gateway(), head)).toBe(
      '{"display_name":"x","limits":{"rate":1}}',
    );
    expect(await over(new DtoParser(Gateway), gateway({ list: undefined }), head)).toBe(
      '{"display_name":"x","limits":{"rate":1,"more":{"deep":[1]}}}',
    );
  });

  it('is checked as a whole against the limits of a document', async () => {
    const head = { limits: { rate: 1 }, other: Object.fromEntries(Array.from({ length: 8 }, (_, at) => [at, at])) };
    const within = (properties: number): Promise<unknown> =>
      over(new DtoParser(Gateway, { limits: { properties } }), gateway(), head);

    expect(await within(12)).toContain('"other":');
    expect(await within(11)).toEqual([': limits.properties']);
  });

  it.each(['{"__proto__":{"polluted":1}}', '{"limits":{"constructor":1}}', '[]', '{"a":', '\xff'])(
    'replaces a document that no class can have: %s',
    async (head) => {
      const serializer = new DtoSerializer(new DtoParser(Gateway));
      const expected = '{"display_name":"x","limits":{"rate":1}}';

      expect(outcome(await serializer.serializeOver(gateway(), Buffer.from(head, 'latin1')))).toBe(expected);
      expect({}).not.toHaveProperty('polluted');
    },
  );

  it('keeps what the output of a schema does not have, unless the value would change', async () => {
    const Plain = z.object({ host: z.string(), tags: z.record(z.string(), z.number()).optional() });
    const Renaming = z
      .object({ port: z.number().optional(), host: z.string() })
      .transform(({ port, host }) => ({ address: `${host}:${port ?? 80}` }));
    const head = { host: 'a', port: 1, tags: { old: 1 }, more: 1 };

    expect(await over(new SchemaParser(Plain), { host: 'b', tags: {} }, head)).toBe(
      '{"host":"b","tags":{},"port":1,"more":1}',
    );
    expect(await over(new SchemaParser(z.looseObject({ host: z.string() })), { host: 'b' }, head)).toBe('{"host":"b"}');
    expect(await over(new SchemaParser(Renaming), { host: 'b', port: 2 }, head)).toBe(
      '{"host":"b","port":2,"tags":{"old":1},"more":1}',
    );
    expect(await over(new SchemaParser(Renaming), { host: 'b' }, head)).toBe('{"host":"b"}');
    expect(await over(new SchemaParser(z.strictObject({ host: z.string() })), { host: 'b' }, head)).toBe(
      '{"host":"b"}',
    );
  });
});

describe('a value that cannot be written', () => {
  const circular = { a: { b: {} as object } };
  circular.a.b = circular.a;
  const throwing = {
    get secret(): string {
      throw new Error('sesame');
    },
  };

  class Endless {
    toJSON(): object {
      return { again: new Endless() };
    }
  }
  class Many {
    toJSON(): object {
      return shared;
    }
  }
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  let shared: object = {};
  for (let level = 0; level < 60; level += 1) shared = { a: shared, b: shared };

  it.each([
    ['an object that contains itself twice on each level', { labels: shared }, [': limits.nestedObjects']],
    ['a list of empty items', { labels: { a: Array.from({ length: 600_000 }) } }, [': limits.values']],
    ['the longest list', { labels: new Array(2 ** 32 - 1) }, [': limits.values']],
    ['a toJSON method that makes too many values', { labels: new Many() }, [': limits.nestedObjects']],
    ['a toJSON method without an end', { labels: new Endless() }, [': transform']],
    [
      'too many properties of one object, which class-transformer compares with each other',
      gateway({ labels: { a: Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`l${index}`, 1])) } }),
      ['labels.a: properties'],
    ],
    [
      'too many nested objects',
      { labels: { a: Array.from({ length: 20_000 }, () => ({})) } },
      [': limits.nestedObjects'],
    ],
    ['a revoked Proxy', revoked, [': transform']],
    ['undefined', undefined, [': object']],
    ['an array', [], [': object']],
    ['a string', 'sesame', [': object']],
    [
      'NaN and Infinity',
      gateway({ limits: { rate: NaN, burst: -Infinity } }),
      ['limits.rate: finite', 'limits.burst: finite'],
    ],
    ['an invalid date', gateway({ since: new Date(NaN) }), ['since: finite']],
    ['a bigint', gateway({ limits: { rate: 1n } }), ['limits.rate: serializable']],
    ['a function', gateway({ labels: { list: [(): void => undefined] } }), ['labels.list[0]: serializable']],
    ['a symbol', gateway({ labels: { a: Symbol('sesame') } }), ['labels.a: serializable']],
    ['a hole in an array', { labels: [undefined, 1] }, ['labels[0]: serializable']],
    ['a Map in a plain object', { labels: new Map([['a', 1]]) }, ['labels: serializable']],
    ['an object inside itself', gateway({ labels: circular }), ['labels.a.b: circular']],
    ['bytes', gateway({ labels: { a: Buffer.from('sesame') } }), ['labels.a: binary']],
    ['an accessor that throws', { labels: throwing }, [': transform']],
    [
      'a Map with a forbidden key',
      gateway({ labels: new Map([['constructor', 1]]) }),
      ['labels.constructor: forbiddenKey'],
    ],
    ['a forbidden key', { labels: JSON.parse('{"__proto__":{}}') as object }, ['labels.__proto__: forbiddenKey']],
  ])('is reported by its path: %s', (_, value, expected) => {
    const result = serialize(Gateway, value);

    expect(outcome(result)).toEqual(expected);
    expect(inspect(result)).not.toContain('sesame');
  });

  it('is not a list of many dates, which are no nested objects of the document', () => {
    const dates = Array.from({ length: 20_001 }, () => new Date(0));

    expect(serialize(Gateway, { display_name: 'x', limits: { rate: 1 }, labels: { dates } })).toMatchObject({
      ok: true,
    });
  });

  it('never causes an exception, and an accepted value is written unchanged', () => {
    class Free {
      @Allow() data!: unknown;
    }
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
    });

    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anything), (data) => {
        const result = serialize(Free, { data });
        if (result instanceof Promise) throw new Error('no validator is async');
        if (result.ok) expect(JSON.parse(result.bytes.toString())).toEqual(JSON.parse(JSON.stringify({ data })));
      }),
      { numRuns: 500 },
    );
  });
});
