import { type } from 'arktype';
import { Expose, Type } from 'class-transformer';
import { IsArray, IsEnum, IsInt, IsOptional, IsString, Max, registerDecorator, ValidateNested } from 'class-validator';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { JsonSchemas } from '../../lib/dto/json-schema.js';
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

describe('the JSON Schema', () => {
  const schemas = new JsonSchemas();

  it('of a class has the rules of class-validator, nested classes and exposed names', () => {
    expect(schemas.of(Shape, 'strip')).toEqual({
      $schema: DRAFT,
      type: 'object',
      properties: SHAPE.properties,
      required: SHAPE.required,
      $defs: { Point: POINT, Shape: SHAPE },
    });
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
