import { Expose, Type, type TypeHelpOptions } from 'class-transformer';
import { IsArray, IsInt, IsObject, IsOptional, IsString, ValidateNested } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { Secret } from 'nestjs-etcd-trigger';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { definitionSchemas } from '../../lib/module/definition-schema.js';
import { resolveDefinition } from '../../lib/store/definitions/resolved-definition.js';

const CANARY = 'canary-4711';

class Algorithm {
  @JSONSchema({ default: CANARY }) @IsString() seed!: string;
}

/** Only a secret contains it, and what it contains. */
class PrivateKey {
  @JSONSchema({ default: CANARY, examples: [CANARY] }) @IsString() pem!: string;
  @ValidateNested() @Type(() => Algorithm) algorithm!: Algorithm;
}

/** A secret contains it, and so does another property. */
class Endpoint {
  @JSONSchema({ default: 'localhost' }) @IsString() host!: string;
}

class Login {
  @JSONSchema({ default: 'app' }) @IsString() user!: string;
  @JSONSchema({ default: CANARY }) @Secret() @IsString() password!: string;
}

@JSONSchema({ default: { apiKey: CANARY } })
class Service {
  @JSONSchema({ default: 5 }) @IsInt() size!: number;
  @JSONSchema({ default: CANARY }) @Expose({ name: 'api-key' }) @Secret() @IsString() apiKey!: string;
  @Secret() @ValidateNested() @Type(() => PrivateKey) privateKey!: PrivateKey;
  @Secret() @ValidateNested() @Type(() => Endpoint) hidden!: Endpoint;
  @ValidateNested() @Type(() => Endpoint) endpoint!: Endpoint;
  @JSONSchema({ default: { user: 'u', password: CANARY } }) @ValidateNested() @Type(() => Login) login!: Login;
  @IsOptional() @ValidateNested() @Type(() => Service) next?: Service;
}

class Account {
  @IsString() user = 'app';
  @Secret() @IsString() password = CANARY;
}

class Accounts {
  @IsInt() size = 5;
  @Secret() @IsString() token = CANARY;
  @Secret() @ValidateNested() @Type(() => Endpoint) hidden = endpointOf(CANARY);
  @ValidateNested() @Type(() => Endpoint) endpoint = endpointOf('localhost');
  @ValidateNested() @Type(() => Account) account = new Account();
  @IsArray() @ValidateNested({ each: true }) @Type(() => Account) accounts = [new Account()];
  /** Only the value shows that it contains a secret. */
  @IsObject() untyped: object = { nested: new Account() };
  @IsObject() @Type(typeByDocument) chosen: object = { user: 'u', password: CANARY };
}

function typeByDocument(options?: TypeHelpOptions): new () => object {
  if (!options?.object.endpoint) throw new Error('the class depends on the document');
  return Account;
}

function endpointOf(host: string): Endpoint {
  const endpoint = new Endpoint();
  endpoint.host = host;
  return endpoint;
}

it('the JSON Schema of a definition proposes no initial value that is, or contains, a secret', () => {
  const definitions = [
    resolveDefinition({ key: '/accounts', type: Accounts }),
    resolveDefinition({ key: '/all', type: Accounts, secret: true }),
  ];
  const [accounts, all] = definitionSchemas('default', definitions);

  expect(accounts?.schema).toMatchObject({
    properties: {
      size: { default: 5 },
      token: { writeOnly: true },
      hidden: { writeOnly: true },
      endpoint: { default: { host: 'localhost' } },
    },
    $defs: { Account: { properties: { user: { default: 'app' }, password: { writeOnly: true } } } },
  });
  expect(accounts?.schema).not.toHaveProperty('required');
  expect(JSON.stringify(all)).not.toContain('"default":');
  expect(JSON.stringify([accounts, all])).not.toContain(CANARY);
});

it('the JSON Schema of a definition with layers requires nothing of a layer', () => {
  class Replica {
    @IsString() host!: string;
  }
  class Database {
    @IsString() host!: string;
    /** A property may have the name of a keyword. */
    @IsString() required!: string;
    @ValidateNested() @Type(() => Replica) replica!: Replica;
  }
  const shapes = z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), a: z.string() }),
    z.object({ kind: z.literal('b'), b: z.string() }),
  ]);
  const layers = ['/base', '/prod'];
  const [database, union] = definitionSchemas('default', [
    resolveDefinition({ key: '/database', type: Database, layers }),
    resolveDefinition({ key: '/shape', schema: shapes, layers }),
  ]);

  expect(database).toMatchObject({
    layers,
    schema: {
      properties: { host: { type: 'string' }, required: { type: 'string' }, replica: { $ref: '#/$defs/Replica' } },
      $defs: { Replica: { properties: { host: { type: 'string' } } } },
    },
  });
  expect(JSON.stringify(database)).not.toContain('"required":[');
  expect(union?.schema).toMatchObject({
    anyOf: [{ properties: { kind: { const: 'a' } } }, { properties: { kind: { const: 'b' } } }],
  });
  expect(JSON.stringify(union)).not.toContain('"required":[');
});

it('the JSON Schema of a definition proposes no value for a secret, nor for a part of one', () => {
  const [described] = definitionSchemas('default', [resolveDefinition({ key: '/service', type: Service })]);

  expect(described?.schema).toMatchObject({
    properties: {
      size: { default: 5 },
      'api-key': { writeOnly: true },
      privateKey: { $ref: '#/$defs/PrivateKey', writeOnly: true },
      endpoint: { $ref: '#/$defs/Endpoint' },
    },
    $defs: {
      PrivateKey: { properties: { pem: { writeOnly: true } } },
      Endpoint: { properties: { host: { default: 'localhost' } } },
      Login: { properties: { user: { default: 'app' }, password: { writeOnly: true } } },
    },
  });
  expect(JSON.stringify(described)).not.toContain(CANARY);
});
