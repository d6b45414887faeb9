import * as classValidator from 'class-validator';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Length,
  Min,
  ValidateBy,
  validateSync,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { Expose, plainToInstance, Transform, Type } from 'class-transformer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileClass } from '../../lib/dto/compiled-class.js';
import { argumentsOf, BUILT_IN, CORPUS } from './fuzz/built-in-decorators.js';

const OPTIONS = [{}, { each: true }, { groups: ['a'] }, { each: true, always: true }];

describe('a compiled class', () => {
  it('gives the result of class-validator for every built-in decorator', () => {
    expect(BUILT_IN.length).toBeGreaterThan(90);
    const compiledNames: string[] = [];
    for (const [name, decorator] of BUILT_IN) {
      const cases = argumentsOf(name).flatMap((given) => OPTIONS.map((options) => ({ given, options })));
      for (const { given, options } of cases) {
        class Subject {
          value!: unknown;
        }
        decorator(...given, options)(Subject.prototype, 'value');
        const compiled = compileClass(Subject);
        if (!compiled) continue;
        compiledNames.push(name);
        for (const value of CORPUS) {
          const thorough = plainToInstance(Subject, { value });
          const isValid = verdictOf(thorough);
          expect([name, given, options, value, attempt(() => compiled({ value }))]).toEqual([
            name,
            given,
            options,
            value,
            isValid ? thorough : undefined,
          ]);
        }
      }
    }
    expect(new Set(compiledNames).size).toBeGreaterThan(90);
  });

  it('gives the result of class-transformer and class-validator for nested, inherited and conditional properties', () => {
    class Pool {
      @IsInt() @Min(1) size!: number;
      @IsOptional() @IsString() name?: string;
    }
    class Base {
      @IsString() @Length(1, 5) host!: string;
      @IsInt() port = 1;
    }
    class Config extends Base {
      @IsOptional() @ValidateNested() @Type(() => Pool) pool?: Pool;
      @IsOptional() @IsArray() @ArrayMaxSize(2) @ValidateNested({ each: false }) @Type(() => Pool) pools?: Pool[];
      @IsOptional() @IsString({ each: true }) tags?: string[];
      @ValidateIf(({ tls }: Config) => tls !== undefined) @IsBoolean() tls?: boolean;
    }
    const compiled = compileClass(Config);
    expect(compiled).toBeDefined();

    const mostly = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<unknown>) =>
      fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: bad });
    const pool = mostly(
      fc.record(
        { size: mostly(fc.integer({ min: 1 }), fc.anything()), name: fc.option(fc.string()) },
        { requiredKeys: ['size'] },
      ),
      fc.oneof(fc.constant(null), fc.integer(), fc.constant({})),
    );
    const document = fc.record(
      {
        host: mostly(fc.string({ minLength: 1, maxLength: 5 }), fc.string()),
        port: mostly(fc.integer(), fc.oneof(fc.double(), fc.constant('1'))),
        pool,
        pools: mostly(fc.array(pool, { maxLength: 2 }), pool),
        tags: mostly(fc.array(fc.string()), fc.oneof(fc.string(), fc.array(fc.integer()))),
        tls: mostly(fc.boolean(), fc.constant('yes')),
      },
      { requiredKeys: ['host'] },
    );
    let quick = 0;
    fc.assert(
      fc.property(document, (given) => {
        const built = attempt(() => compiled?.(structuredClone(given)));
        if (built === undefined) return;
        quick += 1;
        const thorough = plainToInstance(Config, structuredClone(given));
        expect(verdictOf(thorough)).toBe(true);
        expect(built).toEqual(thorough);
        expect(built).toBeInstanceOf(Config);
        expect(Object.isFrozen(built)).toBe(true);
      }),
      { numRuns: 1_000, examples: [[{ host: 'a', pool: { size: 1 }, pools: [{ size: 2 }], tags: ['x'], tls: true }]] },
    );
    expect(quick).toBeGreaterThan(200);
  });

  it.each([`it's "quoted"`, 'a\\', 'a\nb', 'a\u2028b', '${1 + 1}', '*/', 'with space', '1', 'class'])(
    'takes %j as the name of a property, whatever it would mean as code',
    (name) => {
      class Config {}
      IsInt()(Config.prototype, name);
      const compiled = compileClass(Config);

      expect(compiled?.({ [name]: 1 })).toEqual(Object.assign(new Config(), { [name]: 1 }));
      expect(compiled?.({ [name]: 'x' })).toBeUndefined();
      expect(compiled?.({ [name]: 1, other: 1 })).toBeUndefined();
      expect(compiled?.({})).toBeUndefined();
    },
  );

  it('rejects null for a nested object or list, unless a condition excludes it', () => {
    class Inner {
      @IsOptional() @IsInt() n?: number;
    }
    class Outer {
      @IsString() n!: string;
      @ValidateNested() @Type(() => Inner) inner!: Inner;
      @ValidateNested() @Type(() => Inner) list!: Inner[];
      @IsOptional() @ValidateNested() @Type(() => Inner) optional?: Inner;
    }
    const compiled = compileClass(Outer);
    const document = { n: 'q', inner: {}, list: [{}] };

    expect(compiled?.({ ...document, optional: null })).toMatchObject({ n: 'q', optional: null });
    expect(compiled?.({ ...document, inner: null })).toBeUndefined();
    expect(compiled?.({ ...document, list: null })).toBeUndefined();
    expect(compiled?.({ ...document, list: [null] })).toBeUndefined();
  });

  it('leaves default values that class-transformer or class-validator treat differently to them', () => {
    const method = (): number => 1;
    class Functional {
      @IsOptional() run: unknown = method;
    }
    class EmptyItems {
      @IsNotEmpty({ each: true }) tags: unknown = new Set(['']);
    }
    class Other {}
    class Foreign {
      @IsOptional() a?: number;
      static isForeign = false;
      constructor() {
        if (Foreign.isForeign) return new Other();
      }
    }

    expect(compileClass(Functional)?.({ run: 1 })).toBeUndefined();
    expect(compileClass(EmptyItems)?.({})).toBeUndefined();
    const compiled = compileClass(Foreign);
    Foreign.isForeign = true;
    expect(compiled?.({ a: 1 })).toBeUndefined();
  });

  it('evaluates all conditions, and lets no validator change the value', () => {
    class Conditional {
      @ValidateIf((_object, value) => (value as string).length > 0) @IsOptional() @IsString() a?: string | null;
    }
    const push = (value: unknown): boolean => (value as number[]).push(2) > 0;
    class Changing {
      @IsOptional() @IsArray() @ValidateBy({ name: 'push', validator: { validate: push } }) a?: number[];
    }

    expect(() => compileClass(Conditional)?.({ a: null })).toThrow(TypeError);
    expect(() => compileClass(Changing)?.({ a: [1] })).toThrow(TypeError);
  });

  it('is not used for classes that need class-transformer, a container or a promise', () => {
    class Transformed {
      @Transform(({ value }) => String(value)) @IsString() a!: string;
    }
    class Exposed {
      @Expose({ name: 'b' }) @IsString() a!: string;
    }
    class Dated {
      @Type(() => Date) @classValidator.IsDate() a!: Date;
    }
    class Sets {
      @IsString({ each: true }) a!: Set<string>;
    }
    class Accessors {
      @IsString() b = '';
      get a(): string {
        return this.b;
      }
    }
    class Recursive {
      @IsOptional() @ValidateNested() @Type(() => Recursive) next?: Recursive;
    }
    @classValidator.ValidatorConstraint()
    class FromContainer {
      validate(): boolean {
        return true;
      }
    }
    class Custom {
      @classValidator.Validate(FromContainer) a!: string;
    }

    class Inherited {
      @IsOptional() toString!: () => string;
    }
    class Method {
      @IsOptional() run(): void {
        return;
      }
    }
    class Data {
      @IsOptional() @IsInt() a?: number;
    }
    Object.defineProperty(Data.prototype, 'a', { value: 1, writable: true });
    class Unconstrained {}
    class Dynamic {
      @IsOptional() @ValidateNested() @Type((help) => (help?.object.kind === 'a' ? Method : Data)) either?: Data;
    }
    class Returned {
      @IsOptional() a?: number;
      constructor() {
        return Object.assign(new Unconstrained()) as Returned;
      }
    }
    const symbol = Symbol('a');
    class Symbolic {
      declare [symbol]: string;
    }
    IsString()(Symbolic.prototype, symbol);

    for (const type of [
      Transformed,
      Exposed,
      Dated,
      Sets,
      Accessors,
      Recursive,
      Custom,
      Inherited,
      Symbolic,
      Method,
      Data,
      Unconstrained,
      Dynamic,
      Returned,
    ]) {
      expect([type.name, compileClass(type)]).toEqual([type.name, undefined]);
    }
  });
});

function verdictOf(instance: object): boolean {
  return attempt(() => validateSync(instance, { forbidUnknownValues: true }).length === 0) ?? false;
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
