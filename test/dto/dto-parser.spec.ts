import { Expose, plainToInstance, Transform, Type } from 'class-transformer';
import {
  getMetadataStorage,
  IsArray,
  IsDate,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Min,
  registerDecorator,
  ValidateNested,
} from 'class-validator';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { DtoParser, type DtoParserOptions, type ParseResult } from '../../lib/dto/dto-parser.js';

class Host {
  @IsString() name!: string;
  @IsInt() @Min(1, { message: 'the port was $value' }) port!: number;
}

class Pool {
  @IsArray() @ValidateNested({ each: true }) @Type(() => Host) hosts!: Host[];
  @IsOptional() @ValidateNested() @Type(() => Host) main?: Host;
}

class Base {
  @IsOptional() @IsString() owner?: string;
}

class Service extends Base {
  @IsString() @Matches(/^[a-z]+$/, { message: ({ value }) => `${String(value)} is wrong` }) id!: string;
  @ValidateNested() @Type(() => Pool) pool!: Pool;
  @IsOptional() @IsObject() labels?: Record<string, unknown>;
  readonly kind = 'service';
}

const valid = { id: 'a', pool: { hosts: [{ name: 'x', port: 1 }] } };

const parse = <T extends object>(type: new () => T, document: unknown, options?: DtoParserOptions) =>
  new DtoParser(type, options).parse(
    Buffer.isBuffer(document)
      ? document
      : Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)),
  );

/** Formats violations as `path: constraint, constraint`. */
const faults = (result: ParseResult<object> | Promise<ParseResult<object>>): string[] | string => {
  if (result instanceof Promise) return 'a promise';
  return result.ok ? 'valid' : result.violations.map(({ path, constraints }) => `${path}: ${constraints.join(', ')}`);
};

const asyncConstraint =
  (validate: (value: unknown) => Promise<boolean>, flagged: boolean): PropertyDecorator =>
  (target, name) => {
    registerDecorator({
      name: 'reachable',
      async: flagged,
      target: target.constructor,
      propertyName: String(name),
      validator: { validate },
    });
  };

describe('a valid document', () => {
  it('becomes a frozen instance with nested instances, synchronously if no validator is asynchronous', () => {
    const result = parse(Service, { ...valid, owner: 'me' });

    expect(result).toMatchObject({ ok: true, value: { id: 'a', owner: 'me', kind: 'service' }, stripped: [] });
    const { value } = result as { value: Service };
    expect(value).toBeInstanceOf(Service);
    expect(value.pool.hosts[0]).toBeInstanceOf(Host);
    expect(() => value.pool.hosts.push(new Host())).toThrow(TypeError);
  });

  it('may start with a byte order mark, which some editors write', () => {
    expect(faults(parse(Host, `\uFEFF{"name":"x","port":1}`))).toBe('valid');
  });

  it('loses unknown properties at every depth, and their paths are returned', () => {
    const result = parse(Service, {
      ...valid,
      extra: 1,
      kind: 'forged',
      pool: { hosts: [{ name: 'x', port: 1, 'a b': 2 }], more: {} },
      labels: { free: true },
    });

    expect(result).toMatchObject({
      ok: true,
      value: { kind: 'service', labels: { free: true } },
      stripped: ['pool.hosts[0]["a b"]', 'pool.more', 'extra', 'kind'],
    });
    expect(inspect(result)).not.toContain('forged');
  });

  it('is rejected for unknown properties if the definition says so, together with all other violations', () => {
    const document = { id: 'B', pool: { hosts: [{ name: 'x', port: 1, extra: 2 }] }, other: 1 };

    expect(faults(parse(Service, document, { unknown: 'refuse' }))).toEqual([
      'id: matches',
      'pool.hosts[0].extra: unknown',
      'other: unknown',
    ]);
  });

  it('may use names of @Expose, transforms and a discriminator', () => {
    class Circle {
      @IsNumber() radius!: number;
    }
    class Square {
      @IsNumber() side!: number;
    }
    class Drawing {
      @Expose({ name: 'max_size' }) @IsInt() maxSize!: number;
      @Transform(({ value }) => (value as string).split(',')) @IsArray() tags!: string[];
      @ValidateNested({ each: true })
      @Type(() => Object, {
        discriminator: {
          property: 'is',
          subTypes: [
            { name: 'c', value: Circle },
            { name: 's', value: Square },
          ],
        },
      })
      shapes!: (Circle | Square)[];
    }

    const result = parse(Drawing, {
      max_size: 3,
      tags: 'a,b',
      shapes: [
        { is: 'c', radius: 1, side: 2 },
        { is: 's', side: 2 },
      ],
    });

    expect(result).toEqual({
      ok: true,
      value: Object.assign(new Drawing(), {
        maxSize: 3,
        tags: ['a', 'b'],
        shapes: [Object.assign(new Circle(), { radius: 1 }), Object.assign(new Square(), { side: 2 })],
      }),
      stripped: ['shapes[0].side'],
    });
  });
});

describe('an invalid document', () => {
  it.each([
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), [': utf8']],
    ['nothing', '', [': json']],
    ['broken JSON', '{"id": sesame', [': json']],
    ['an array', '[]', [': object']],
    ['null', 'null', [': object']],
    ['a string', '"sesame"', [': object']],
    ['too many bytes', Buffer.alloc(1.5 * 1024 * 1024 + 1, 0x20), [': limits.documentBytes']],
    [
      'too many levels',
      `{"labels":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      [`labels${'[0]'.repeat(63)}: depth`],
    ],
    [
      '__proto__',
      '{"labels":{"__proto__":{"admin":true}},"__proto__":{}}',
      ['labels.__proto__: forbiddenKey', '__proto__: forbiddenKey'],
    ],
    ['constructor', '{"labels":[{"constructor":{"prototype":{}}}]}', ['labels[0].constructor: forbiddenKey']],
    [
      'names that class-transformer drops',
      '{"labels":{"toString":1,"a":[{"hasOwnProperty":1}]},"valueOf":1}',
      ['labels.toString: forbiddenKey', 'labels.a[0].hasOwnProperty: forbiddenKey', 'valueOf: forbiddenKey'],
    ],
    ['a number that is infinite', '{"labels":{"a":1e999}}', ['labels.a: finite']],
    [
      'integers that JavaScript rounds',
      '{"labels":{"a":9007199254740993,"b":["-9007199254740992",-9007199254740992]},"other":12345678901234567890}',
      ['labels.a: safeInteger', 'labels.b[1]: safeInteger', 'other: safeInteger'],
    ],
  ])('is rejected: %s', (_, document, expected) => {
    expect(faults(parse(Service, document))).toEqual(expected);
    expect({}).not.toHaveProperty('admin');
  });

  it('is rejected with more properties than class-transformer can handle in time', () => {
    const labels = Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`k${index}`, 0]));

    expect(faults(parse(Service, { ...valid, labels }))).toEqual(['labels: properties']);
  });

  it('is rejected with a string for a number, an object for an array, or an array for an object', () => {
    expect(faults(parse(Service, { ...valid, pool: { hosts: [{ name: 'x', port: '1' }] } }))).toEqual([
      'pool.hosts[0].port: min, isInt',
    ]);
    class Loose {
      @ValidateNested({ each: true }) @Type(() => Host) hosts!: Host[];
      @ValidateNested() @Type(() => Host) main!: Host;
    }
    const host = { name: 'x', port: 1 };
    expect(faults(parse(Loose, { hosts: host, main: [host] }))).toEqual(['hosts: isArray', 'main: nestedValidation']);
    expect(faults(parse(Loose, { hosts: [host], main: host }))).toBe('valid');

    class Containers {
      @ValidateNested({ each: true }) @Type(() => Host) set!: Set<Host>;
      @ValidateNested({ each: true }) @Type(() => Host) map!: Map<string, Host>;
    }
    expect(faults(parse(Containers, { set: host, map: [host] }))).toEqual(['set: isArray', 'map: nestedValidation']);
    expect(faults(parse(Containers, { set: [host], map: { host } }))).toBe('valid');
  });
});

describe('a number outside of the safe range', () => {
  it('is valid if it is written with a fraction or an exponent, or as a string', () => {
    const labels = '{"a":1e20,"b":9007199254740993.0,"c":"9007199254740993","d\\":9007199254740993":9007199254740991}';

    expect(parse(Service, JSON.stringify({ ...valid, labels: 0 }).replace('0}', `${labels}}`))).toMatchObject({
      ok: true,
      value: { labels: { a: 1e20, b: 2 ** 53, c: '9007199254740993', 'd":9007199254740993': 2 ** 53 - 1 } },
    });
  });
});

describe('unknown properties', () => {
  class Item {
    @IsString() name!: string;
  }
  class Other {
    @IsString() label!: string;
  }
  class Items {
    @ValidateNested() @Type(() => Item) map!: Map<string, Item[]>;
    @ValidateNested() @Type(() => Item) set!: Set<Item>;
    @ValidateNested() @Type(() => Item) lists!: Item[][];
    @IsString() kind!: string;
    @ValidateNested() @Type((help) => (help?.object.kind === 'other' ? Other : Item)) either!: Item | Other;
  }
  const item = { name: 'x', more: 1 };
  const document = {
    map: { a: [item, [item]], b: [] },
    set: [item],
    lists: [[item]],
    kind: 'other',
    either: { label: 'x', name: 'y' },
  };
  const paths = ['map.a[0].more', 'map.a[1][0].more', 'set[0].more', 'lists[0][0].more', 'either.name'];

  it('are found in lists inside a Map, in Sets, and where the class depends on the document', () => {
    const result = parse(Items, document) as unknown as { value: Items; stripped: string[] };

    expect(result.stripped).toEqual(paths);
    expect(result.value.map.get('a')).toEqual([{ name: 'x' }, [{ name: 'x' }]]);
    expect(result.value.either).toEqual(Object.assign(new Other(), { label: 'x' }));
    expect(faults(parse(Items, document, { unknown: 'refuse' }))).toEqual(paths.map((path) => `${path}: unknown`));
  });

  it('are also keys that class-transformer does not copy into a Map, which are always rejected', () => {
    const map = { size: [item], get: [], a: [{ name: 'x' }] };

    expect(faults(parse(Items, { ...document, map }))).toEqual(['map.size: forbiddenKey', 'map.get: forbiddenKey']);
  });

  it('are not the names that @Expose() gives to overridden properties', () => {
    class Base {
      @Expose({ name: 'max_size' }) @IsInt() size!: number;
    }
    class Derived extends Base {
      @Expose({ name: 'largest_size' }) @IsInt() declare size: number;
    }

    const document = { largest_size: 4, max_size: 3 };

    expect(parse(Derived, document)).toEqual({ ok: true, value: plainToInstance(Derived, document), stripped: [] });
    expect(plainToInstance(Derived, document).size).toBe(3);
  });

  it('are those of the class that class-transformer selects for exchanged names', () => {
    class Exchanged {
      @Expose({ name: 'b' }) @ValidateNested() @Type(() => Item) a!: Item;
      @Expose({ name: 'a' }) @ValidateNested() @Type(() => Other) b!: Other;
    }

    expect(parse(Exchanged, { a: { label: 'x', name: 'y' }, b: { name: 'x' } })).toMatchObject({
      ok: true,
      value: { a: { name: 'x' }, b: { label: 'x' } },
      stripped: ['a.name'],
    });
  });
});

describe('violations', () => {
  it('list all failed constraints by path and constraint name', () => {
    const document = { id: 7, owner: 5, pool: { hosts: [{ port: 0 }, 3, { name: 'x', port: 1 }], main: {} } };

    expect(faults(parse(Service, document))).toEqual([
      'id: matches, isString',
      'pool.hosts[0].name: isString',
      'pool.hosts[0].port: min',
      'pool.hosts[1]: nestedValidation',
      'pool.main.name: isString',
      'pool.main.port: min, isInt',
      'owner: isString',
    ]);
  });

  it('never contain a value, wherever it occurs in the document', () => {
    const secret = 'sesame-open-9f3';
    const anywhere = fc.oneof(fc.constant(secret), fc.jsonValue(), fc.constant({ [secret.slice(0, 2)]: secret }));
    const documents = fc.oneof(
      fc.record({ id: anywhere, pool: fc.oneof(anywhere, fc.record({ hosts: fc.array(anywhere), main: anywhere })) }),
      fc.constant(`{"id": ${secret}`),
      fc.constant(`"${secret}"`),
    );

    fc.assert(
      fc.property(documents, fc.constantFrom('strip' as const, 'refuse' as const), (document, unknown) => {
        const result = parse(Service, document, { unknown });
        if (result instanceof Promise) throw new Error('no validator is async');
        if (!result.ok) expect(inspect(result, { depth: 9, showHidden: true })).not.toContain(secret);
      }),
      { numRuns: 500 },
    );
  });

  it('are returned instead of an exception for any JSON and any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array().map((array) => Buffer.from(array)),
      fc.json().map((json) => Buffer.from(json)),
      fc.jsonValue().map((labels) => Buffer.from(JSON.stringify({ ...valid, labels }))),
    );

    fc.assert(
      fc.property(bytes, (document) => {
        expect(parse(Service, document)).toHaveProperty('ok');
      }),
      { numRuns: 500 },
    );
  });

  it('name transforms and validators that throw, without their messages', () => {
    class Throwing {
      @Transform(({ value }) => {
        if (value === 'sesame') throw new Error('sesame');
        return value as unknown;
      })
      @Matches(/./)
      text!: string;
      @Min(1, {
        message: () => {
          throw new Error('sesame');
        },
      })
      count!: number;
    }

    const transformed = parse(Throwing, { text: 'sesame', count: 2, extra: 1 }, { unknown: 'refuse' });
    const validated = parse(Throwing, { text: 7, count: 0 });

    expect(faults(transformed)).toEqual(['extra: unknown', ': transform']);
    expect(faults(validated)).toEqual(['text: matches', 'count: validator']);
    expect(inspect([transformed, validated])).not.toContain('sesame');
  });

  it('name bytes that a transform created, because they cannot be frozen', () => {
    class Secret {
      @Transform(({ value }) => ({ key: Buffer.from(value as string) })) @IsObject() secret!: object;
    }

    expect(faults(parse(Secret, { secret: 'sesame' }))).toEqual(['secret.key: binary']);
  });
});

describe('a document with many nested objects', () => {
  class Scaled extends Pool {
    @IsOptional() @Transform(({ value }: { value: unknown }) => value) scale?: unknown;
  }

  it('needs the constraints of a class once, because collecting them takes longer the more classes a process has', () => {
    const parser = new DtoParser(Scaled);
    const document = (hosts: number) =>
      Buffer.from(
        JSON.stringify({ hosts: Array.from({ length: hosts }, (_, index) => ({ name: `${index}`, port: 0 })) }),
      );
    faults(parser.parse(document(1)));
    const collect = vi.spyOn(getMetadataStorage(), 'getTargetValidationMetadatas');

    expect(faults(parser.parse(document(2)))).toEqual(['hosts[0].port: min', 'hosts[1].port: min']);
    expect(collect).toHaveBeenCalledTimes(2);
    expect(faults(parser.parse(document(1_000)))).toHaveLength(101);
    expect(collect).toHaveBeenCalledTimes(4);
  });
});

describe('async validators', () => {
  it.each([
    ['flagged as async', true],
    ['not flagged as async', false],
  ])('are awaited when %s, nested ones too', async (_, flagged) => {
    class Remote {
      @asyncConstraint((value) => Promise.resolve(value === 'up'), flagged) url!: string;
    }
    class Remotes {
      @IsInt() count!: number;
      @ValidateNested({ each: true }) @Type(() => Remote) items!: Remote[];
    }

    const good = parse(Remotes, { count: 1, items: [{ url: 'up' }] });
    const bad = parse(Remotes, { count: 'x', items: [{ url: 'up' }, { url: 'down' }] });

    expect([good, bad].map((result) => result instanceof Promise)).toEqual([true, true]);
    expect(faults(await good)).toBe('valid');
    expect(faults(await bad)).toEqual(['count: isInt', 'items[1].url: reachable']);
  });

  it('have a time limit and may reject', async () => {
    class Slow {
      @asyncConstraint(() => new Promise(() => undefined), true) url!: string;
      @IsInt() count!: number;
    }
    class Rejecting {
      @asyncConstraint((value) => Promise.reject(new Error(String(value))), false) url!: string;
    }

    expect(faults(await parse(Slow, { url: 'x', count: 'y' }, { asyncTimeoutMs: 20 }))).toEqual([
      'count: isInt',
      ': timeout',
    ]);
    const rejected = await parse(Rejecting, { url: 'sesame' });
    expect(faults(rejected)).toEqual([': validator']);
    expect(inspect(rejected)).not.toContain('sesame');
  });
});

describe('dates', () => {
  it('are frozen too', () => {
    class Window {
      @Type(() => Date) @IsDate() from!: Date;
    }

    const result = parse(Window, { from: '2024-01-01T00:00:00.000Z' }) as { ok: true; value: Window };

    expect(() => result.value.from.setFullYear(1999)).toThrow(TypeError);
    expect(result.value.from.getFullYear()).toBe(2024);
    expect(faults(parse(Window, { from: 'sesame' }))).toEqual(['from: isDate']);
  });
});
