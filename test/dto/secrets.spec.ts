import { inspect, format } from 'node:util';
import { instanceToPlain, plainToInstance, Transform, Type } from 'class-transformer';
import { IsArray, IsInt, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DtoParser } from '../../lib/dto/dto-parser.js';
import { DtoSerializer } from '../../lib/dto/dto-serializer.js';
import { SchemaParser } from '../../lib/dto/schema-parser.js';
import { maskedData } from '../../lib/dto/secrets/masked-data.js';
import { Secret } from '../../lib/dto/secrets/secret.decorator.js';
import type { ValueParser } from '../../lib/dto/value-parser.js';
import { InvalidOptionsError } from '../../lib/etcd-trigger.errors.js';

class Credentials {
  @IsString() user!: string;
  @Secret() @IsString() password!: string;
}
class Keys {
  @IsArray() list!: string[];
}
class Base {
  @Secret() @IsString() token!: string;
}
class Service extends Base {
  @IsString() host!: string;
  @IsInt() port!: number;
  @ValidateNested() @Type(() => Credentials) login!: Credentials;
  @ValidateNested({ each: true }) @Type(() => Credentials) others!: Credentials[];
  @ValidateNested({ each: true }) @Type(() => Credentials) named!: Map<string, Credentials>;
  @Secret() @ValidateNested() @Type(() => Keys) keys!: Keys;
  @Secret() @IsOptional() @IsObject() extra?: Record<string, unknown>;
  @Secret() @IsOptional() @IsString() absent?: string;
  @Secret() @Transform(({ value }) => new Date(value as string), { toClassOnly: true }) @IsOptional() until?: Date;
}

const SECRET = 'sesame';
const login = { user: 'u', password: SECRET };
const document = {
  token: SECRET,
  host: 'h',
  port: 1,
  login,
  others: [login],
  named: { a: login },
  keys: { list: [SECRET] },
  extra: { deep: [{ secret: SECRET }] },
  until: '2024-01-01T00:00:00.000Z',
};
const parsed = <T extends object>(parser: ValueParser<T>, value: object = document): T => {
  const result = parser.parse(Buffer.from(JSON.stringify(value)));
  if (result instanceof Promise || !result.ok) throw new Error(inspect(result));
  return result.value;
};
const outputsOf = (value: unknown): string[] => [
  JSON.stringify(value),
  inspect(value, { depth: Infinity }),
  inspect(value, { depth: 0 }),
  inspect(value, { showHidden: true, depth: Infinity, compact: false }),
  format('%j %o %O %s', value, value, value, value),
  JSON.stringify(maskedData(value)),
  JSON.stringify({ nested: [value] }),
  inspect(new Map([['a', { value }]]), { depth: Infinity }),
];
const written = async (parser: ValueParser<object>, value: unknown, form: 'class' | 'document'): Promise<unknown> => {
  const result = await new DtoSerializer(parser).serialize(value, form);
  return result.ok
    ? (JSON.parse(result.bytes.toString()) as unknown)
    : result.violations.map(({ path, constraints }) => `${path}: ${constraints.join()}`);
};

describe('a class with @Secret()', () => {
  const parser = new DtoParser(Service);
  const service = parsed(parser);
  /** Like `{ ...service, ...more }`, for the linter. */
  const copyWith = (more: object): object => Object.assign({}, service, more);

  it('gives readers the secrets, and shows everything else', () => {
    expect([service.token, service.login.password, service.keys.list, service.extra]).toEqual([
      SECRET,
      SECRET,
      [SECRET],
      { deep: [{ secret: SECRET }] },
    ]);
    expect(JSON.parse(JSON.stringify(service))).toEqual({
      token: '***',
      host: 'h',
      port: 1,
      login: { user: 'u', password: '***' },
      others: [{ user: 'u', password: '***' }],
      named: {},
      keys: '***',
      extra: '***',
      until: '***',
    });
    expect(maskedData(service)).toMatchObject({
      host: 'h',
      named: { a: { user: 'u', password: '***' } },
      until: '***',
    });
    expect(inspect(service)).toMatch(/^Service \{/);
    expect(inspect(service.login)).toBe(`Credentials { user: 'u', password: '***' }`);
  });

  it.each<[string, unknown]>([
    ['the whole', service],
    ['a nested object', service.login],
    ['a list', service.others],
    ['a map', service.named],
    ['a nested secret', service.keys],
    ['a list within a secret', service.keys.list],
    ['plain data within a secret', service.extra],
    ['a list of plain data within a secret', service.extra?.deep],
    ['a date', service.until],
    ['an instance that was not read from etcd', plainToInstance(Service, document)],
    ['an error with the value as cause', new Error('failed', { cause: service })],
    ['a copy by class-transformer', instanceToPlain(service)],
  ])('masks the secrets in JSON and inspection: %s', (_, value) => {
    for (const output of outputsOf(value)) expect(output).not.toMatch(/sesame|2024/);
  });

  it.each<[string, object, 'class' | 'document']>([
    ['as it was read', service, 'document'],
    ['as it was read, with its class', service, 'class'],
    ['a copy of its properties', copyWith({}), 'class'],
    ['a copy of its properties without a class', copyWith({ named: document.named }), 'document'],
    ['an instance made from it', plainToInstance(Service, copyWith({ named: document.named, until: document.until })), 'class'], // prettier-ignore
  ])('is written with its secrets: %s', async (_, value, form) => {
    expect(await written(parser, value, form)).toEqual(document);
  });

  it('keeps the secrets of the document in an update', async () => {
    const next = copyWith({ port: 2 });
    const result = await new DtoSerializer(parser).serializeOver(next, Buffer.from(JSON.stringify(document)));

    expect(result.ok && JSON.parse(result.bytes.toString())).toEqual({ ...document, port: 2 });
  });

  it('rejects the mask in place of a secret, and allows it elsewhere', async () => {
    const { password } = JSON.parse(JSON.stringify(service.login)) as Credentials;

    expect(
      await written(parser, { ...document, token: password, others: [{ ...login, password }] }, 'document'),
    ).toEqual(expect.arrayContaining(['token: masked', 'others[0].password: masked']));
    expect(await written(parser, { ...document, host: '***' }, 'document')).toMatchObject({ host: '***' });
  });

  it('is compiled if its secrets are texts, numbers or booleans', () => {
    expect(parsed(new DtoParser(Credentials), login)).toEqual(login);
    expect(JSON.stringify(parsed(new DtoParser(Credentials), login))).toBe('{"user":"u","password":"***"}');
  });

  it('is refused for a static property, a symbol, and a class with its own toJSON', () => {
    class WithToJson {
      toJSON(): object {
        return {};
      }
    }
    expect(() => {
      Secret()(WithToJson.prototype, 'a');
    }).toThrow(/WithToJson.a has @Secret\(\), which replaces the method WithToJson.toJSON/);
    for (const [target, name] of [
      [WithToJson, 'a'],
      [Keys.prototype, Symbol('a')],
    ] as const)
      // prettier-ignore
      expect(() => {
        Secret()(target, name);
      }).toThrow(InvalidOptionsError);
  });
});

describe('a definition with secret: true', () => {
  const schema = z.object({ host: z.string(), keys: z.array(z.string()), at: z.object({ x: z.string() }) });
  const value = { host: SECRET, keys: [SECRET], at: { x: SECRET } };
  class Open {
    @IsString() host!: string;
    @IsArray() keys!: string[];
    @IsObject() at!: object;
  }
  const parsers: [string, ValueParser<object>][] = [
    ['a schema', new SchemaParser(schema, { secret: true })],
    ['a class', new DtoParser(Open, { secret: true })],
  ];

  it.each(parsers)('masks all properties of %s, also of its parts', (_, parser) => {
    const secret = parsed(parser, value) as typeof value;

    expect(secret).toEqual(value);
    for (const part of [secret, secret.keys, secret.at])
      for (const output of outputsOf(part)) expect(output).not.toContain(SECRET);
    expect(JSON.stringify(secret)).toBe('{"host":"***","keys":"***","at":"***"}');
  });

  it.each(parsers)('writes %s as it was read or copied, but not masked', async (_, parser) => {
    const secret = parsed(parser, value);

    for (const form of ['class', 'document'] as const) {
      expect(await written(parser, secret, form)).toEqual(value);
      expect(await written(parser, { ...secret }, form)).toEqual(value);
    }
    expect(await written(parser, { ...secret, host: '***' }, 'class')).toEqual(['host: masked']);
  });
});
