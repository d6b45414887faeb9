import * as classValidator from 'class-validator';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Min,
  validateSync,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { Expose, plainToInstance, Transform, Type } from 'class-transformer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileClass } from '../../lib/dto/compiled-class.js';

type Decorators = Record<string, (...args: unknown[]) => PropertyDecorator>;

/** Every class-validator decorator for a single value, with suitable arguments. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  ArrayContains: [[1]],
  ArrayMaxSize: [3],
  ArrayMinSize: [1],
  ArrayNotContains: [[1]],
  Contains: ['a'],
  Equals: [1],
  IsDivisibleBy: [2],
  IsEnum: [{ one: 1, a: 'a' }],
  IsIn: [[1, 'a']],
  IsInstance: [Object],
  IsNotIn: [[1, 'a']],
  IsPhoneNumber: ['DE'],
  Length: [1, 3],
  Matches: [/^a/],
  Max: [5],
  MaxDate: [new Date()],
  MaxLength: [3],
  Min: [1],
  MinDate: [new Date()],
  MinLength: [1],
  NotContains: ['a'],
  NotEquals: [1],
  IsPostalCode: ['DE'],
  IsMobilePhone: ['de-DE'],
  IsRgbColor: [true],
  IsPassportNumber: ['DE'],
  IsTaxId: ['de-DE'],
  IsIdentityCard: ['ES'],
  IsHash: ['md5'],
  IsISBN: ['13'],
};
const NOT_OF_ONE_VALUE = new Set([
  'Allow',
  'Validate',
  'ValidateBy',
  'ValidateIf',
  'ValidateNested',
  'ValidatePromise',
  'IsOptional',
  'ValidatorConstraint',
]);
const BUILT_IN = Object.entries(classValidator as unknown as Decorators).filter(
  ([name, decorator]) =>
    /^[A-Z]/.test(name) &&
    typeof decorator === 'function' &&
    !NOT_OF_ONE_VALUE.has(name) &&
    isPropertyDecorator(name, decorator),
);

function isPropertyDecorator(name: string, decorator: (...args: unknown[]) => unknown): boolean {
  try {
    return typeof decorator(...(ARGUMENTS[name] ?? [])) === 'function';
  } catch {
    return false;
  }
}

const CORPUS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  2,
  -1,
  1.5,
  80,
  '',
  'a',
  'abc',
  'abcdef',
  '1',
  '1.5',
  'true',
  'https://example.com',
  'a@b.de',
  '127.0.0.1',
  '::1',
  '2020-01-01',
  '2020-01-01T00:00:00Z',
  'Infinity',
  '#fff',
  'rgb(1,2,3)',
  '{"a":1}',
  'de',
  'DE',
  'EUR',
  '12:00',
  '00:00:5e:00:53:af',
  '+4930123456',
  '10115',
  '4111111111111111',
  '123e4567-e89b-12d3-a456-426614174000',
  '507f1f77bcf86cd799439011',
  'YQ==',
  'data:,a',
  '1.0.0',
  '80',
  '9783161484100',
  'DE89370400440532013000',
  '5d41402abc4b2a76b9719d911017c592',
  '12.5,13.5',
  [],
  [1],
  [1, 1],
  ['a', 2, null],
  {},
  { a: 1 },
];

describe('a compiled class', () => {
  it('gives the result of class-validator for every built-in decorator', () => {
    expect(BUILT_IN.length).toBeGreaterThan(90);
    const compiledNames: string[] = [];
    for (const [name, decorator] of BUILT_IN) {
      for (const each of [false, true]) {
        class Subject {
          value!: unknown;
        }
        decorator(...(ARGUMENTS[name] ?? []), ...(each ? [{ each: true }] : []))(Subject.prototype, 'value');
        const compiled = compileClass(Subject);
        if (!compiled) continue;
        compiledNames.push(name);
        for (const value of CORPUS) {
          const thorough = plainToInstance(Subject, { value });
          const isValid = verdictOf(thorough);
          expect([name, each, value, attempt(() => compiled({ value }))]).toEqual([
            name,
            each,
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
    const symbol = Symbol('a');
    class Symbolic {
      declare [symbol]: string;
    }
    IsString()(Symbolic.prototype, symbol);

    for (const type of [Transformed, Exposed, Dated, Sets, Accessors, Recursive, Custom, Inherited, Symbolic]) {
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
