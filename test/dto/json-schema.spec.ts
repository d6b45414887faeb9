import { type } from 'arktype';
import { Expose, Transform, Type } from 'class-transformer';
import {
  IsArray,
  IsDate,
  IsEnum,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Max,
  registerDecorator,
  ValidateNested,
} from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DtoParser } from '../../lib/dto/dto-parser.js';
import { JsonSchemas } from '../../lib/dto/json-schema.js';
import type { ValueType } from '../../lib/dto/value-type.js';
import { InvalidOptionsError } from '../../lib/etcd-trigger.errors.js';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

class Point {
  @IsInt() @Max(9) x!: number;
}
class Shape {
  @Expose({ name: 'title' }) @IsString() name!: string;
  @ValidateNested() @Type(() => Point) center!: Point;
  @IsArray() @ValidateNested({ each: true }) @Type(() => Point) corners!: Point[];
  @IsOptional() @IsEnum({ Red: 'red', Blue: 'blue' }) color?: 'red' | 'blue';
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Shape) parts?: Shape[];
}

class Pool {
  @IsInt() max = 10;
  @Expose({ name: 'idle-ms' }) @IsInt() idleMs = 1_000;
}
const poolsByName = (): Map<string, Pool> => new Map([['a', new Pool()]]);
class Server {
  @IsString() host!: string;
  @IsInt() port = 5432;
  @ValidateNested() @Type(() => Pool) pool = new Pool();
  @ValidateNested() @Type(() => Pool) pools: Map<string, Pool> = poolsByName();
  @IsArray() tags: unknown[] = ['x', { y: [null] }];
  @JSONSchema({ default: 7 }) @IsInt() described = 8;
  @IsDate() @Type(() => Date) since = new Date();
  @IsOptional() note: string | null = null;
  /** Valid only if the document has another value. */
  @IsNotEmpty() name = '';
  @ValidateNested() @Type(() => Point) center = new Point();
  /** class-transformer assigns undefined if the document does not have it. */
  @Expose() @IsInt() exposed = 1;
  @Expose() @Transform(({ value }: { value?: number }) => value ?? 2) @IsInt() transformed!: number;
}

describe('the JSON Schema', () => {
  const schemas = new JsonSchemas();
  const described = (type: ValueType): Described => schemas.of(type, 'strip') as object as Described;

  it('of a class has the rules of class-validator, nested classes and exposed names', () => {
    expect(schemas.of(Shape, 'strip')).toEqual({
      $schema: DRAFT,
      type: 'object',
      properties: SHAPE.properties,
      required: SHAPE.required,
      $defs: { Point: POINT, Shape: SHAPE },
    });
  });

  it('of a class with initializers does not require these properties, and has their values as defaults', () => {
    const { properties, required, $defs } = described(Server);
    const defaults = Object.entries(properties).map(([name, property]) => [name, property.default]);

    expect(required).toEqual(['host', 'name', 'center', 'exposed']);
    expect(Object.fromEntries(defaults)).toEqual({
      host: undefined,
      port: 5432,
      pool: { max: 10, 'idle-ms': 1_000 },
      pools: { a: { max: 10, 'idle-ms': 1_000 } },
      tags: ['x', { y: [null] }],
      described: 7,
      since: undefined,
      note: undefined,
      name: undefined,
      center: undefined,
      exposed: undefined,
      transformed: 2,
    });
    expect($defs).toMatchObject({
      Pool: { properties: { max: { default: 10 }, 'idle-ms': {} }, required: ['idle-ms'] },
    });
  });

  it.each([Server, Point, Pool])('of %o requires a property exactly if the parser does', async (type) => {
    const { properties, required = [] } = described(type);
    const parser = new DtoParser<object>(type);
    const isValid = async (document: object): Promise<boolean> =>
      (await parser.parse(Buffer.from(JSON.stringify(document)))).ok;
    const complete = Object.fromEntries(Object.keys(properties).map((name) => [name, VALUES[name] ?? 1]));
    const needed: string[] = [];
    for (const name of Object.keys(properties)) {
      if (!(await isValid({ ...complete, [name]: undefined }))) needed.push(name);
    }

    expect(await parser.parse(Buffer.from(JSON.stringify(complete)))).toMatchObject({ ok: true });
    expect(required).toEqual(needed);
  });

  it('of a class whose constructor throws or does not end has no defaults', () => {
    class Throwing {
      @IsInt() port = 5432;

      constructor() {
        throw new Error('only the application may create it');
      }
    }
    class Endless {
      @IsInt() port = 5432;
      @ValidateNested() @Type(() => Endless) next: Endless = new Endless();
    }

    for (const type of [Throwing, Endless]) {
      const { properties, required } = described(type);
      expect(properties.port).toEqual({ type: 'integer' });
      expect(required).toContain('port');
    }
  });

  it('of a class with an asynchronous validator does not wait for it', () => {
    class Slow {
      @IsInt() @Refused() port = 5432;
    }

    expect(schemas.of(Slow, 'strip')).toMatchObject({ properties: { port: { default: 5432 } } });
  });

  it('of a class that refuses unknown properties allows no others', () => {
    expect(schemas.of(Shape, 'refuse')).toMatchObject({
      additionalProperties: false,
      $defs: { Point: { additionalProperties: false } },
    });
  });

  it('of a type without rules allows any value', () => {
    class Custom {
      @Checked() since!: Date;
    }

    expect(schemas.of(Custom, 'strip')).toMatchObject({
      properties: { since: { $ref: '#/$defs/Date' } },
      $defs: { Date: {} },
    });
  });

  it('of nested classes with one name does not exist', () => {
    const other = (() => {
      class Point {
        @IsString() y!: string;
      }
      return Point;
    })();
    class Ambiguous {
      @ValidateNested() @Type(() => Point) a!: Point;
      @ValidateNested() @Type(() => other) b!: object;
    }

    expect(schemas.of(Ambiguous, 'strip')).toBeUndefined();
  });

  it('of a zod or arktype schema is that of its documents', () => {
    const expected = { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] };
    const transformed = z.object({ on: z.boolean().transform(String), since: z.string().default('x') });

    expect(schemas.of(transformed, 'strip')).toEqual({
      $schema: DRAFT,
      ...expected,
      properties: { ...expected.properties, since: { type: 'string', default: 'x' } },
    });
    expect(schemas.of(type({ on: 'boolean' }), 'strip')).toEqual({ $schema: DRAFT, ...expected });
  });

  it('of a schema whose library has none, or cannot represent it, does not exist', () => {
    expect(schemas.of(v.object({ on: v.boolean() }), 'strip')).toBeUndefined();
    expect(schemas.of(z.object({ at: z.date() }), 'strip')).toBeUndefined();
  });

  it('of a class needs a package, which an error names', () => {
    const without = new JsonSchemas(() => {
      throw new Error('Cannot find module');
    });

    expect(() => without.of(Point, 'strip')).toThrow(
      new InvalidOptionsError(
        'EtcdTriggerInspector.schema() needs the package "class-validator-jsonschema" for classes: npm install class-validator-jsonschema',
      ),
    );
    expect(without.of(z.object({ on: z.boolean() }), 'strip')).toMatchObject({ type: 'object' });
  });
});

const POINT = {
  type: 'object',
  properties: { x: { type: 'integer', maximum: 9 } },
  required: ['x'],
};
const SHAPE = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    center: { $ref: '#/$defs/Point' },
    corners: { type: 'array', items: { $ref: '#/$defs/Point' } },
    color: { type: 'string', enum: ['red', 'blue'] },
    parts: { type: 'array', items: { $ref: '#/$defs/Shape' } },
  },
  required: ['title', 'center', 'corners'],
};

interface Described {
  readonly properties: Readonly<Record<string, { readonly default?: unknown }>>;
  readonly required?: readonly string[];
  readonly $defs: Readonly<Record<string, object>>;
}

/** Valid values by name; those of other names are 1. */
const VALUES: Readonly<Record<string, unknown>> = {
  host: 'h',
  pool: { 'idle-ms': 1 },
  pools: {},
  tags: [],
  since: '2026-01-01',
  note: 'n',
  title: 't',
  center: { x: 1 },
  corners: [],
  color: 'red',
  parts: [],
};

function Refused(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'refused',
      async: true,
      target: target.constructor,
      propertyName: String(propertyName),
      validator: () => Promise.reject(new Error('down')),
    });
  };
}

function Checked(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'checked',
      target: target.constructor,
      propertyName: String(propertyName),
      validator: () => true,
    });
  };
}
