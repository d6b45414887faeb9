import { ArrayUnique, arrayUnique, IsArray, IsInt, IsObject, IsOptional, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDocumentLimits, type DocumentLimits } from '../../lib/dto/document-limits.js';
import { DtoParser, type ParseResult } from '../../lib/dto/dto-parser.js';
import { indexedFor } from '../../lib/dto/indexed-array.js';

class Item {
  @IsInt() n!: number;
}

class Everything {
  @IsOptional() @IsArray() list?: unknown[];
  @IsOptional() @IsObject() object?: object;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Item) items?: Item[];
}

const parse = (document: object, limits?: Partial<DocumentLimits>): string =>
  outcome(
    new DtoParser(Everything, { ...(limits && { limits }) }).parse(
      Buffer.from(JSON.stringify(document)),
    ) as ParseResult<Everything>,
  );

const outcome = (result: ParseResult<unknown>): string =>
  result.ok ? 'valid' : result.violations.map(({ path, constraints }) => `${path}: ${constraints.join()}`).join('; ');

const repeated = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

const labels = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, n) => [`l${n}`, n]));

describe('the limits of a document', () => {
  it.each([
    ['values', { list: repeated(499_999, 1) }, { list: repeated(500_000, 1) }],
    [
      'properties',
      { object: Object.fromEntries('abcde'.split('').map((name) => [name, labels(19_998)])), list: [] },
      { object: Object.fromEntries('abcdef'.split('').map((name) => [name, labels(17_000)])) },
    ],
    ['nestedObjects', { items: repeated(19_999, { n: 1 }) }, { items: repeated(20_000, { n: 1 }) }],
  ])('are %s, whatever the class', (name, largest, tooLarge) => {
    expect(parse(largest)).toBe('valid');
    expect(parse(tooLarge)).toBe(`: limits.${name}`);
  });

  it.each([
    ['documentBytes', { list: [1, 2] }, 14],
    ['values', { list: [1, { a: 1 }] }, 4],
    ['properties', { object: { a: { b: 1 } } }, 3],
    ['nestedObjects', { list: [[], {}] }, 3],
  ] as const)('can be set: %s', (name, document, size) => {
    expect(parse(document, { [name]: size })).toBe('valid');
    expect(parse(document, { [name]: size - 1 })).toBe(`: limits.${name}`);
  });

  it('are integers of at least 1', () => {
    expect(() => checkDocumentLimits({ values: 0 }, ' of key "/app"')).toThrow(
      '"limits.values" of key "/app" must be an integer of at least 1',
    );
  });
});

describe('a list with more items than a function has arguments', () => {
  it('is frozen', () => {
    const document = Buffer.from(JSON.stringify({ list: repeated(400_000, 7) }));

    const result = new DtoParser(Everything).parse(document) as ParseResult<Everything>;

    expect(result.ok && result.value.list?.length).toBe(400_000);
    expect(result.ok && Object.isFrozen(result.value.list)).toBe(true);
  });
});

describe('@ArrayUnique', () => {
  const item = fc.oneof(
    fc.integer({ min: -2, max: 2 }),
    fc.constantFrom<unknown>(NaN, -0, null, undefined, '', '1', true, false),
  );

  it('has the verdict of class-validator for lists of any items', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 20, maxLength: 60 }), fc.boolean(), (list, hasIdentifier) => {
        const identifier = hasIdentifier ? (each: unknown): unknown => String(each).length : undefined;

        expect(arrayUnique(indexedFor('arrayUnique', list) as unknown[], identifier)).toBe(
          arrayUnique(list, identifier),
        );
      }),
    );
  });

  it('has the verdict of class-validator for long lists, with holes and NaN', () => {
    const distinct = Array.from({ length: 1_000 }, (_, n) => n);
    for (const list of [distinct, [...distinct, 7], [...distinct, NaN], Object.assign([...distinct], { 1_500: 'x' })]) {
      expect(arrayUnique(indexedFor('arrayUnique', list) as unknown[])).toBe(arrayUnique(list));
    }
  });

  it('looks at each item of a list a few times, not once for each other item', () => {
    class Unique {
      @ArrayUnique() @IsArray() list!: unknown[];
    }
    class Strict {
      @ArrayUnique((each: number) => (calls += 1) && each) @IsArray() list!: unknown[];
      // A default value that class-transformer must decide about.
      @IsOptional() @Type(() => Date) date?: Date;
    }
    let calls = 0;
    const document = Buffer.from(JSON.stringify({ list: Array.from({ length: 200_000 }, (_, n) => n) }));

    expect(outcome(new DtoParser(Unique).parse(document) as ParseResult<Unique>)).toBe('valid');
    expect(outcome(new DtoParser(Strict).parse(document) as ParseResult<Strict>)).toBe('valid');
    expect(calls).toBe(200_000);
  });
});
