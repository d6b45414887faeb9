import { inspect, isDeepStrictEqual } from 'node:util';
import { Type } from 'class-transformer';
import { Allow, IsInt, IsObject, IsOptional, IsString } from 'class-validator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOf } from '../../../lib/dto/formats/codecs.js';
import type { CodecChoice, ConfigCodec } from '../../../lib/dto/formats/document-format.js';
import { DtoParser, type ParseResult } from '../../../lib/dto/dto-parser.js';
import { DtoSerializer, type SerializeResult } from '../../../lib/dto/dto-serializer.js';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { YamlFormat } from '../../../lib/dto/formats/yaml-format.js';

class Free {
  @IsOptional() @Allow() data?: unknown;
}
class Server {
  @IsString() host!: string;
  @IsInt() port!: number;
  @IsOptional() @IsObject() labels?: object;
}
class Flag {
  @IsString() value!: string;
}
class Port {
  @Type(() => Number) @IsInt() value!: number;
}

/** Lines of `name=value`, as an example of a custom format. */
const properties: ConfigCodec = {
  decode: (bytes) =>
    Object.fromEntries(
      bytes
        .toString()
        .split('\n')
        .map((line) => line.split('='))
        .map(([name = '', value]) => [name, name === 'port' ? Number(value) : value]),
    ),
  encode: (document) =>
    Buffer.from(
      Object.entries(document)
        .map(([name, value]) => `${name}=${String(value)}`)
        .join('\n'),
    ),
};

const outcome = (result: ParseResult<object> | SerializeResult<object> | Promise<unknown>): unknown => {
  if (result instanceof Promise || !('ok' in result)) return 'a promise';
  if (result.ok) return result.value;
  return result.violations.map(({ path, constraints }) => `${path}: ${constraints.join(', ')}`);
};
const read = (type: new () => object, codec: CodecChoice, document: string | Buffer): unknown =>
  outcome(new DtoParser<object>(type, { codec }).parse(Buffer.from(document as string)));
const write = (type: new () => object, codec: CodecChoice, value: unknown): SerializeResult<object> =>
  new DtoSerializer(new DtoParser<object>(type, { codec })).serialize(value) as SerializeResult<object>;

describe('JSON', () => {
  it.each([
    ['twice in one object', '{"host":"a","host":"b","port":1}', [': duplicateKey']],
    ['twice in a nested one', '{"host":"a","port":1,"labels":{"x":1,"x":1}}', [': duplicateKey']],
    ['twice, one escaped', '{"host":"a","\\u0068ost":"b","port":1}', [': duplicateKey']],
    ['once each, with colons and quotes in strings', '{"host":"a\\":\\\\","port":1}', { host: 'a":\\', port: 1 }],
  ])('is rejected for a duplicate name: %s', (_, document, expected) => {
    expect(read(Server, 'json', document)).toEqual(expected);
  });

  it('is never rejected after serialization', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (data) => {
        const bytes = Buffer.from(JSON.stringify({ data }, undefined, 1));
        const result = new DtoParser(Free).parse(bytes);
        if (result instanceof Promise || result.ok) return;
        expect(result.violations.flatMap(({ constraints }) => constraints)).not.toContain('duplicateKey');
      }),
    );
  });
});

describe('text', () => {
  it('is the property "value", byte for byte, in both directions', () => {
    expect(read(Flag, 'text', 'on\n')).toEqual({ value: 'on\n' });
    expect(read(Flag, 'text', '')).toEqual({ value: '' });
    expect(write(Flag, 'text', { value: ' {"a":1} ' })).toMatchObject({ bytes: Buffer.from(' {"a":1} ') });
    expect(read(Flag, 'text', Buffer.from([0xff]))).toEqual([': utf8']);
  });

  it('may be a number if the class declares one', () => {
    expect(read(Port, 'text', '8080')).toEqual({ value: 8080 });
    expect(read(Port, 'text', 'sesame')).toEqual(['value: isInt']);
    expect(write(Port, 'text', Object.assign(new Port(), { value: 80 }))).toMatchObject({ bytes: Buffer.from('80') });
    expect(outcome(write(Port, 'text', { value: 80, more: 1 }))).toEqual(['more: text']);
    expect(outcome(write(Flag, 'text', { value: null }))).toEqual(['value: text']);
    expect(outcome(write(Flag, 'text', { value: 'half of a pair: \ud83d' }))).toEqual(['value: utf8']);
  });
});

describe('YAML', () => {
  it('supports anchors, comments and the types of JSON, and dates stay strings', () => {
    const document =
      'data:\n  base: &b [1, yes, ~, 2.5, true] # yes is a string since 1.2\n  same: *b\n  day: 2024-01-01\n  1: x';

    expect(read(Free, 'yaml', document)).toEqual({
      data: { base: [1, 'yes', null, 2.5, true], same: [1, 'yes', null, 2.5, true], day: '2024-01-01', 1: 'x' },
    });
  });

  it('supports numbers with a fraction or an exponent outside of the safe range', () => {
    expect(read(Free, 'yaml', 'data: [1e20, 9007199254740993.0, -9007199254740991, 0x10, +5]')).toEqual({
      data: [1e20, 2 ** 53, -(2 ** 53 - 1), 16, 5],
    });
  });

  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
    'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    'data: [*c,*c,*c,*c,*c,*c]',
  ];
  it.each([
    ['broken', 'data: [sesame', [': yaml']],
    ['nothing', '', [': object']],
    ['a list', '- sesame', [': object']],
    ['a text', 'sesame', [': object']],
    ['two documents', 'data: 1\n---\ndata: 2', [': yaml']],
    ['invalid UTF-8', Buffer.from([0x61, 0x3a, 0xff]), [': utf8']],
    ['an alias bomb', bomb.join('\n'), [': alias']],
    ['an alias to nothing', 'data: *sesame', [': alias']],
    ['an alias inside what it stands for', 'data: &a\n  b: *a', [`data${'.b'.repeat(63)}: depth`]],
    ['a tag', 'data: !sesame 1', [': tag']],
    ['bytes', 'data: !!binary c2VzYW1l', [': tag']],
    ['a merge key', 'x: &x {a: 1}\ndata:\n  <<: *x', ['["<<"]: mergeKey']],
    ['a name twice', 'data: {a: 1, b: {}, a: 2}', [': duplicateKey']],
    ['a name that is a list', 'data: {[a]: 1}', [': yaml']],
    ['__proto__', 'data: {__proto__: {admin: true}}', ['data.__proto__: forbiddenKey']],
    ['constructor', 'constructor: {}', ['constructor: forbiddenKey']],
    ['not a number', 'data: .nan', ['data: finite']],
    ['infinity', 'data: -.inf', ['data: finite']],
    ['an integer that JavaScript rounds', 'data: [9007199254740993]', ['data[0]: safeInteger']],
    ['a hexadecimal one', 'data: 0x20000000000001', ['data: safeInteger']],
    ['toString', 'data: {toString: 1}', ['data.toString: forbiddenKey']],
    ['too many levels', `data: ${'['.repeat(64)}${']'.repeat(64)}`, [`data${'[0]'.repeat(63)}: depth`]],
    ['far too many levels', `data: ${'['.repeat(5_000)}`, [': depth']],
    ['too many bytes', `data: ${'x'.repeat(128 * 1024)}`, [': size']],
  ])('is rejected: %s', (_, document, expected) => {
    expect(read(Free, 'yaml', document)).toEqual(expected);
    expect({}).not.toHaveProperty('admin');
  });

  it('reads back the same document that it wrote', () => {
    const data = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('"<<"'));

    fc.assert(
      fc.property(data, (value) => {
        const result = write(Free, 'yaml', { data: value });
        if (result.ok) expect(JSON.stringify(result.value)).toBe(JSON.stringify({ data: value }));
        else expect(outcome(result)).toEqual(outcome(write(Free, 'json', { data: value })));
      }),
      { numRuns: 300 },
    );
  });

  it('reports the package to install if it is missing', () => {
    const load = (): never => {
      throw new Error('Cannot find module');
    };

    expect(() => new YamlFormat(load)).toThrow(InvalidOptionsError);
    expect(() => new YamlFormat(load)).toThrow(`the codec 'yaml' needs the package "yaml": npm install yaml`);
  });
});

describe('a codec of the application', () => {
  it('is used in both directions, with the same checks', () => {
    const value = { host: 'a', port: 1 };

    expect(read(Server, properties, 'host=a\nport=1')).toEqual(value);
    expect(write(Server, properties, value)).toMatchObject({ bytes: Buffer.from('host=a\nport=1'), value });
    expect(read(Server, properties, 'host=a\nport=sesame')).toEqual(['port: finite']);
    expect(read(Server, properties, 'port=1\n__proto__=x')).toEqual(['__proto__: forbiddenKey']);
    expect(outcome(write(Server, properties, { host: 'a', port: 1.5 }))).toEqual(['port: isInt']);
  });

  const decoding = (value: unknown): ConfigCodec => ({ decode: () => value as object, encode: () => Buffer.from('x') });
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const wide = Array.from({ length: 30 }).reduce<object>((inner) => ({ a: inner, b: inner }), {});
  const throwing = {
    get host(): string {
      throw new Error('sesame');
    },
  };
  it.each([
    ['a Date', { data: new Date() }, ['data: plain']],
    ['bytes', { data: [Buffer.from('sesame')] }, ['data[0]: plain']],
    ['a Map', { data: new Map([['sesame', 1]]) }, ['data: plain']],
    ['an instance', new Server(), [': plain']],
    ['a bigint', { data: 1n }, ['data: plain']],
    ['a function', { data: () => 'sesame' }, ['data: plain']],
    ['a hole', { data: [undefined] }, ['data[0]: plain']],
    ['a promise inside', { data: Promise.resolve({}) }, ['data: plain']],
    ['a text', 'sesame', [': object']],
    ['nothing', undefined, [': plain']],
    ['not a number', { data: NaN }, ['data: finite']],
    ['itself inside', circular, [`self${'.self'.repeat(63)}: depth`]],
    ['one object more often than any document could hold', { data: wide }, [': size']],
    ['an accessor that throws', throwing, [': codec']],
  ])('may not decode to %s', (_, value, expected) => {
    expect(read(Free, decoding(value), 'x')).toEqual(expected);
  });

  it('may throw or encode to something other than bytes, and its errors are not quoted', () => {
    const failing: ConfigCodec = {
      decode: (bytes) => {
        throw new Error(bytes.toString());
      },
      encode: (document) => {
        throw new Error(JSON.stringify(document));
      },
    };
    const decoded = new DtoParser(Free, { codec: failing }).parse(Buffer.from('sesame'));
    const encoded = write(Free, failing, { data: 'sesame' });

    expect([outcome(decoded), outcome(encoded)]).toEqual([[': codec'], [': codec']]);
    expect(inspect([decoded, encoded], { depth: Infinity, showHidden: true })).not.toContain('sesame');
    expect(outcome(write(Free, { ...failing, encode: () => 'text' as never }, { data: 1 }))).toEqual([': codec']);
  });

  it('shares no data with the library', () => {
    const shared = { host: 'a', port: 1, extra: [{}], labels: {} };
    const received: Buffer[] = [];
    const codec: ConfigCodec = { ...decoding(shared), decode: (bytes) => (received.push(bytes), shared) };
    const bytes = Buffer.from('x');

    const result = new DtoParser(Server, { codec }).parse(bytes);
    received[0]?.fill(0);

    expect(outcome(result as ParseResult<object>)).toEqual({ host: 'a', port: 1, labels: {} });
    expect(isDeepStrictEqual(shared, { host: 'a', port: 1, extra: [{}], labels: {} })).toBe(true);
    expect([Object.isFrozen(shared), Object.isFrozen(shared.labels), bytes.toString()]).toEqual([false, false, 'x']);
  });
});

it('every format reads what it writes', () => {
  const document = { host: 'a: "b"\n', port: 1 };

  for (const codec of ['json', 'yaml', properties] as const) {
    const bytes = formatOf(codec).write({ host: 'a', port: 1 });
    expect(Buffer.isBuffer(bytes) && formatOf(codec).read(bytes)).toMatchObject({ value: { host: 'a', port: 1 } });
  }
  expect(outcome(write(Server, 'yaml', document))).toEqual(document);
});
