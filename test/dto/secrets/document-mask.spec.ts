import { Expose, Transform, Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { Secret } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { maskDocument } from '../../../lib/dto/secrets/document-mask.js';

class Login {
  @IsString() user!: string;
  @Secret() @IsString() password!: string;
}

class Token {
  @IsIn(['token']) kind!: string;
  @Secret() @IsString() token!: string;
}

class Basic {
  @IsIn(['basic']) kind!: string;
  @IsString() user!: string;
}

class Service {
  @IsString() name!: string;
  @IsOptional() @ValidateNested() @Type(() => Login) login?: Login;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Login) logins?: Login[];
  @IsOptional() @ValidateNested() @Type(() => Login) byName?: Map<string, Login>;
  @IsOptional()
  @ValidateNested()
  @Type(() => Token, {
    discriminator: {
      property: 'kind',
      subTypes: [
        { name: 'token', value: Token },
        { name: 'basic', value: Basic },
      ],
    },
    keepDiscriminatorProperty: true,
  })
  auth?: Token | Basic;
  @IsOptional() @Transform(({ value }): unknown => value) @ValidateNested() @Type(() => Login) converted?: Login;
  @IsOptional() @Expose({ name: 'api-key' }) @Secret() @IsString() apiKey?: string;
  @IsOptional()
  @Secret()
  @Transform(({ value, obj }): unknown => value ?? (obj as { pin?: string }).pin)
  @IsString()
  code?: string;
}

class Plain {
  @IsInt() port!: number;
}

const masked = (document: Record<string, unknown>): unknown =>
  maskDocument(document, { type: Service, secret: false }).document;

describe('maskDocument', () => {
  it.each([
    [
      { name: 'a', login: { user: 'u', password: 'p' } },
      { name: 'a', login: { user: 'u', password: '***' } },
    ],
    [{ logins: [{ user: 'u', password: 'p' }, 'p'] }, { logins: [{ user: 'u', password: '***' }, '***'] }],
    [{ login: 'p' }, { login: '***' }],
    [
      { byName: { a: { user: 'u', password: 'p' }, b: 7 } },
      { byName: { a: { user: 'u', password: '***' }, b: '***' } },
    ],
    [{ auth: { kind: 'token', token: 't' } }, { auth: { kind: 'token', token: '***' } }],
    [{ auth: { kind: 'basic', user: 'u' } }, { auth: { kind: 'basic', user: 'u' } }],
    [{ converted: { anything: 'p' } }, { converted: '***' }],
    [{ 'api-key': 'p' }, { 'api-key': '***' }],
    [{ apiKey: 'p' }, { apiKey: '***' }],
    [{ pin: 'p' }, { pin: '***' }],
    [
      { former: 'p', login: { other: 'p', password: null } },
      { former: '***', login: { other: '***', password: null } },
    ],
  ])('masks %j', (document, expected) => {
    expect(masked(document)).toEqual(expected);
  });

  it('shows the unknown properties of a class without secrets', () => {
    expect(maskDocument({ port: 1, other: 2 }, { type: Plain, secret: false })).toEqual({
      document: { port: 1, other: 2 },
      places: [],
    });
  });

  it('masks every property of a secret definition, and none that is null', () => {
    const { document, places } = maskDocument({ a: { b: 1 }, c: null }, { type: Plain, secret: true });

    expect(document).toEqual({ a: '***', c: null });
    expect(places).toEqual([{ path: 'a', value: { b: 1 } }]);
  });
});
