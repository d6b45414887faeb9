import { Expose, Transform, Type } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsDate,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  ValidateNested,
} from 'class-validator';
import { fromEnv } from 'nestjs-etcd-trigger';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mergedDocument } from '../../../lib/dto/document-merge.js';
import type { ValueType } from '../../../lib/dto/value-type.js';

class Pool {
  @IsInt() max!: number;
  @IsOptional() @IsBoolean() fair?: boolean;
}
class Node {
  @IsOptional() @IsString() label?: string;
  @IsOptional() @ValidateNested() @Type(() => Node) next?: Node;
}
class Db {
  @IsString() host!: string;
  @IsNumber() maxConnections!: number;
  @IsString() tlsCA!: string;
  @IsBoolean() readOnly!: boolean;
  @ValidateNested() @Type(() => Pool) pool!: Pool;
  @IsArray() @IsString({ each: true }) hosts!: string[];
  @ValidateNested({ each: true }) @Type(() => Pool) pools!: Map<string, Pool>;
  @IsObject() labels!: Record<string, string>;
  @IsIn(['a', 'b']) mode!: 'a' | 'b';
  @IsOptional() @IsInt() limit!: number | string | null;
  @IsDate() @Type(() => Date) since!: Date;
  @Expose({ name: 'user_name' }) @IsString() user!: string;
  @Transform(({ value }) => Number.parseInt(String(value), 10)) @IsInt() timeout!: number;
  @ValidateNested() @Type(() => Node) node!: Node;
}

const read = (env: Record<string, string>, type: ValueType = Db, prefix = 'DB_'): unknown =>
  mergedDocument(
    fromEnv(prefix, { env })
      .read('key "/db"', type)
      .settings.map(({ document }) => document),
  );
const problemOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return 'none';
};

describe('fromEnv', () => {
  it('maps variables to the properties of a class, by their types', () => {
    expect(
      read({
        DB_HOST: 'h',
        DB_MAX_CONNECTIONS: '1.5e1',
        DB_TLS_CA: '12',
        DB_READ_ONLY: 'false',
        DB_POOL__MAX: '-3',
        DB_POOL__FAIR: 'true',
        DB_HOSTS: '["a","b"]',
        DB_POOLS: '{"x":{"max":1}}',
        DB_LABELS: '{"a":"b"}',
        DB_MODE: 'a',
        DB_LIMIT: '7',
        DB_SINCE: '2026-01-01',
        DB_USER_NAME: 'u',
        DB_TIMEOUT: '5s',
        DB_NODE__LABEL: '',
        OTHER_HOST: 'x',
      }),
    ).toEqual({
      host: 'h',
      maxConnections: 15,
      tlsCA: '12',
      readOnly: false,
      pool: { max: -3, fair: true },
      hosts: ['a', 'b'],
      pools: { x: { max: 1 } },
      labels: { a: 'b' },
      mode: 'a',
      limit: 7,
      since: '2026-01-01',
      user_name: 'u',
      timeout: '5s',
      node: { label: '' },
    });
  });

  it('maps variables to the properties of a schema with a JSON Schema', () => {
    const schema = z.object({
      host: z.string(),
      port: z.number().int(),
      on: z.boolean().nullable(),
      pool: z.object({ maxSize: z.number() }).optional(),
      list: z.array(z.string()),
    });
    expect(
      read({ DB_HOST: '1', DB_PORT: '2', DB_ON: 'true', DB_POOL__MAX_SIZE: '3', DB_LIST: '["x"]' }, schema),
    ).toEqual({ host: '1', port: 2, on: true, pool: { maxSize: 3 }, list: ['x'] });
    expect(problemOf(() => read({}, v.object({ host: v.string() })))).toBe(
      'InvalidOptionsError: the "override" of key "/db" cannot be fromEnv(), because the library of its schema provides no JSON Schema: give an object or a function',
    );
  });

  it('names every variable that does not fit, and never its value', () => {
    const env = { DB_MAX_CONNECTIONS: 'tcp://10.0.0.1', DB_READ_ONLY: 'yes', DB_HOSTS: 'a,b', DB_POOL__MAX: '' };

    expect(problemOf(() => read(env))).toBe(
      'InvalidOptionsError: the environment does not fit Db, the type of key "/db": DB_MAX_CONNECTIONS must be a number; DB_READ_ONLY must be true or false; DB_POOL__MAX must be a number; DB_HOSTS must be JSON',
    );
  });

  it.each(['0x10', ' 1', '1 ', '1_000', '01', '+1', '.5', 'NaN', 'Infinity', '1e999', '9007199254740993', ''])(
    'does not take %j as a number',
    (text) => {
      expect(problemOf(() => read({ DB_MAX_CONNECTIONS: text }))).toContain('DB_MAX_CONNECTIONS must be a number');
    },
  );

  it('lists the variables that set no property', () => {
    const { unknown } = fromEnv('DB_', { env: { DB_HOTS: '1', DB_POOL: '{}', DB_HOST: 'h', DBX: '' } }).read('x', Db);
    expect(unknown).toEqual(['DB_HOTS', 'DB_POOL']);
  });

  it('refuses two properties with one variable, and invalid options', () => {
    class Clash {
      @IsString() maxSize!: string;
      @IsString() max_size!: string;
    }
    class Nested {
      @ValidateNested() @Type(() => Pool) pool!: Pool;
      @IsInt() poolMax!: number;
    }
    expect(problemOf(() => read({}, Clash))).toBe(
      'InvalidOptionsError: the "override" of key "/db": the variable DB_MAX_SIZE would set both "maxSize" and "max_size": choose another separator, or rename one of them',
    );
    expect(problemOf(() => fromEnv('DB_', { separator: '_', env: {} }).read('x', Nested))).toContain('both "pool.max"');
    expect(problemOf(() => fromEnv(''))).toContain("fromEnv() needs the prefix of the variables, such as 'DB_'");
    expect(problemOf(() => fromEnv('DB_', { separator: '' }))).toContain('"separator" of fromEnv("DB_") must be');
    expect(problemOf(() => fromEnv('DB_', { seperator: '.' } as object))).toContain('did you mean "separator"?');
  });
});
