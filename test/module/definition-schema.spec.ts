import { Expose, Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import { Secret } from 'nestjs-etcd-trigger';
import { expect, it } from 'vitest';
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
