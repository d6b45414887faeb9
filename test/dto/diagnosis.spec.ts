import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { describe, expect, it } from 'vitest';
import { changedPaths } from '../../lib/dto/document-diff.js';
import { DtoParser, type ParseResult } from '../../lib/dto/dto-parser.js';
import { UnknownReports } from '../../lib/dto/unknown-reports.js';
import { BootError, InvalidConfigError } from '../../lib/etcd-trigger.errors.js';

class Endpoint {
  @IsString() host!: string;
  @IsInt() port!: number;
}

class Endpoints {
  @ValidateNested({ each: true }) @Type(() => Endpoint) list!: Endpoint[];
  @IsOptional() @IsInt() more?: number;
}

const parse = (text: string, unknown: 'strip' | 'refuse' = 'strip'): ParseResult<object> =>
  new DtoParser(Endpoint, { unknown }).parse(Buffer.from(text)) as ParseResult<object>;

const violationsOf = (result: ParseResult<object>) => (result.ok ? [] : result.violations);

const named = (name: string, value: string): string => `{"host":"a","port":1,${JSON.stringify(name)}:${value}}`;

describe('the diagnosis of a document', () => {
  it('cuts the path of a property with a very long name', () => {
    const violations = violationsOf(parse(named('x'.repeat(1_400_000), `[${'1e999,'.repeat(389)}1e999]`)));

    expect(violations).toEqual([{ path: `${'x'.repeat(400)}...`, constraints: ['finite'] }]);
  });

  it('cuts the path of a deeply nested property', () => {
    const name = 'n'.repeat(90);
    const text = Array.from({ length: 20 }).reduce<string>((inner) => `{"${name}":${inner}}`, '1e999');

    const violations = violationsOf(parse(named('a', text)));

    expect(violations).toEqual([{ path: `${`a.${`${name}.`.repeat(5)}`.slice(0, 400)}...`, constraints: ['finite'] }]);
  });

  it('never cuts a character in two', () => {
    const [violation] = violationsOf(parse(named(`${'x'.repeat(399)}\u{20000}`, '1e999')));

    expect(violation?.path).toBe(`${'x'.repeat(399)}...`);
  });

  it('names the first 100 properties, and says that there are more', () => {
    const items = Array.from({ length: 300 }, () => '1e999').join();

    const violations = violationsOf(parse(named('x', `[${items}]`)));

    expect(violations).toHaveLength(101);
    expect(violations[99]).toEqual({ path: 'x[99]', constraints: ['finite'] });
    expect(violations[100]).toEqual({ path: '', constraints: ['more'] });
  });

  it('is bounded for forbidden names, unknown properties and constraints, too', () => {
    const forbidden = Array.from({ length: 2_000 }, (_, n) => `"${n}":{"__proto__":1}`).join();
    const unknown = Array.from({ length: 2_000 }, (_, n) => `"u${n}":1`).join();
    const invalid = { list: Array.from({ length: 2_000 }, () => ({ host: 1, port: 'a' })) };

    const results = [
      parse(named('p'.repeat(500_000), `{${forbidden}}`)),
      parse(`{"host":"a","port":1,${unknown}}`, 'refuse'),
      new DtoParser(Endpoints).parse(Buffer.from(JSON.stringify(invalid))) as ParseResult<object>,
    ];

    expect(results.map((result) => violationsOf(result).length)).toEqual([1, 101, 101]);
  });

  it('is short in the message of an error', () => {
    const violations = Array.from({ length: 100 }, (_, n) => ({ path: `a[${n}]`, constraints: ['isInt'] }));
    const problem = { cluster: 'default', subject: 'x', reason: 'invalid' as const, message: 'x is not valid' };

    expect(new InvalidConfigError('"/a"', violations).message).toMatch(/^"\/a" is not valid: a\[0\].*; and 80 more$/);
    expect(new BootError(Array.from({ length: 5_000 }, () => problem)).message.split('\n').at(-1)).toBe(
      '  - and 4900 more',
    );
  });
});

describe('the report of unknown properties', () => {
  it('names them once, the first 20 of many, and stops after 100 different sets of names', () => {
    const reports = new UnknownReports();
    const names = Array.from({ length: 30 }, (_, n) => `p${n}`);

    expect(reports.namesToReport([])).toBeUndefined();
    expect(reports.namesToReport(['a', 'b'])).toBe('a, b');
    expect(reports.namesToReport(['a', 'b'])).toBeUndefined();
    expect(reports.namesToReport(names)).toBe(`${names.slice(0, 20).join(', ')} and more`);
    for (let n = 2; n < 99; n += 1) expect(reports.namesToReport([`x${n}`])).toBe(`x${n}`);
    expect(reports.namesToReport(['last'])).toBe('last; further unknown properties are not reported');
    expect(reports.namesToReport(['one more'])).toBeUndefined();
  });

  it('lists at most 100 of the properties that were removed', () => {
    const unknown = Array.from({ length: 2_000 }, (_, n) => `"u${n}":1`).join();

    const result = parse(`{"host":"a","port":1,${unknown}}`);

    expect(result.ok && result.stripped).toHaveLength(101);
    expect(result.ok && result.stripped.at(-1)).toBe('...');
    expect(result.ok && Object.keys(result.value)).toEqual(['host', 'port']);
  });
});

describe('the changed paths of two documents', () => {
  it('are the part around a property whose path is too long', () => {
    const long = 'x'.repeat(1_000);

    expect(changedPaths({ a: { b: 1, [long]: 1 } }, { a: { b: 2, [long]: 2 } })).toEqual(['a.b', 'a']);
    expect(changedPaths({ a: { [long]: { c: 1 } } }, { a: { [long]: { c: 1 } } })).toEqual([]);
  });

  it('are the document itself if more than 1,000 parts changed', () => {
    const object = (count: number, value: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, value]));

    expect(changedPaths(object(1_000, 1), object(1_000, 2))).toHaveLength(1_000);
    expect(changedPaths(object(1_001, 1), object(1_001, 2))).toEqual(['']);
  });

  it('are the array itself if more than 100 of its parts changed', () => {
    const list = (count: number, first: number) => Array.from({ length: count }, (_, n) => first + n);

    expect(changedPaths({ list: list(100, 0) }, { list: list(100, 1) })).toHaveLength(100);
    expect(changedPaths({ a: 1, list: list(101, 0) }, { a: 2, list: list(101, 1) })).toEqual(['a', 'list']);
  });
});
