import { Type } from 'class-transformer';
import { IsDefined, IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import type { ConfigDefinition } from '../../../lib/store/definitions/config-definition.js';
import { ConfigDefinitions } from '../../../lib/store/definitions/config-definitions.js';

class Database {
  @IsString() host!: string;
}

class Redis {
  @IsInt() port!: number;
}

class Bare {
  host!: string;
}

class Inheriting extends Database {}

const problemOf = (...definitions: unknown[]): string => {
  try {
    new ConfigDefinitions(definitions as ConfigDefinition[]);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionsError);
    return (error as Error).message;
  }
  return 'accepted';
};

describe('a definition', () => {
  it('has defaults: optional values are removed on delete, and invalid values under a prefix are skipped', () => {
    const { all } = new ConfigDefinitions([
      { key: '/db', type: Database },
      { prefix: '/redis/', type: Redis, required: true },
      { prefix: '', type: Redis, required: true, onDelete: 'remove', unknown: 'refuse' },
    ]);

    expect(all).toMatchObject([
      { name: '/db', target: { key: '/db' }, required: false, onDelete: 'remove', onInvalid: 'fail' },
      { name: '/redis/', target: { prefix: '/redis/' }, required: true, onDelete: 'keep-last', onInvalid: 'skip' },
      { name: '', target: { prefix: '' }, required: true, onDelete: 'remove', unknown: 'refuse' },
    ]);
  });

  it.each([
    ['both key and prefix', { key: '/a', prefix: '/b', type: Database }, /both key "\/a" and prefix "\/b"/],
    ['neither key nor prefix', { type: Database }, /neither "key" nor "prefix"/],
    [
      'a required key that may be skipped',
      { key: '/a', type: Database, required: true, onInvalid: 'skip' },
      /key "\/a" is "required" and has "onInvalid: 'skip'"/,
    ],
    [
      'an unknown "onInvalid"',
      { key: '/a', type: Database, onInvalid: 'error' },
      /"onInvalid" of key "\/a" must be one of 'fail', 'skip'/,
    ],
    ['an empty key', { key: '', type: Database }, /"key" of a definition is empty/],
    ['a key that is not a string', { key: 7, type: Database }, /must be a string/],
    ['no class', { key: '/a', type: undefined }, /key "\/a" needs a class/],
    ['a class without constraints', { key: '/a', type: Bare }, /Bare, the class of key "\/a", has no class-validator/],
    [
      'a default for a prefix',
      { prefix: '/a/', type: Database, default: { host: 'a' } },
      /prefix "\/a\/" has a "default"/,
    ],
    [
      'a default and required',
      { key: '/a', type: Database, required: true, default: { host: 'a' } },
      /"required" and has/,
    ],
    ['a default that is not an object', { key: '/a', type: Database, default: [] }, /"default" of key "\/a"/],
    ['an unknown choice', { key: '/a', type: Database, onDelete: 'keep' }, /"onDelete" of key "\/a" must be one of/],
    [
      'an unknown codec',
      { key: '/a', type: Database, codec: 'xml' },
      /"codec" of key "\/a" must be 'json', 'text', 'yaml' or/,
    ],
    [
      'an incomplete codec',
      { key: '/a', type: Database, codec: { decode: String } },
      /"codec" of key "\/a" must be 'json'/,
    ],
    ['a text without a value', { key: '/a', type: Database, codec: 'text' }, /so Database needs a property "value"/],
    ['another unknown choice', { key: '/a', type: Database, unknown: 'warn' }, /"unknown" of key "\/a" must be one of/],
  ])('is rejected for %s, in one sentence that names the option', (_, definition, sentence) => {
    expect(problemOf(definition)).toMatch(sentence);
  });

  it('accepts a class that inherits its constraints', () => {
    expect(problemOf({ key: '/a', type: Inheriting })).toBe('accepted');
  });
});

describe('nested classes of a definition', () => {
  class NotNested {
    @IsDefined() @Type(() => Redis) redis!: Redis;
  }
  class OnlyTyped {
    @IsString() name!: string;
    @Type(() => Redis) redis!: Redis;
  }
  class NotTyped {
    @ValidateNested() redis!: Redis;
  }
  class UntypedArray {
    @ValidateNested({ each: true }) redis!: Redis[];
  }
  class NestedBare {
    @ValidateNested() @Type(() => Bare) bare!: Bare;
  }
  class Deep {
    @IsOptional() @ValidateNested({ each: true }) @Type(() => NotTyped) items?: NotTyped[];
  }
  class Inherits extends NotNested {
    @IsInt() more!: number;
  }
  class Binary {
    @IsDefined() secret!: Buffer;
  }
  class BinaryItems {
    @IsDefined() @Type(() => Uint8Array) parts!: Uint8Array[];
  }
  class Tree {
    @IsInt() size!: number;
    @IsOptional() @ValidateNested({ each: true }) @Type(() => Tree) children?: Tree[];
  }

  it.each([
    [NotNested, 'NotNested.redis, for key "/a", contains Redis, which has constraints, but lacks @ValidateNested()'],
    [OnlyTyped, 'OnlyTyped.redis, for key "/a", contains Redis, which has constraints, but lacks @ValidateNested()'],
    [NotTyped, 'NotTyped.redis, for key "/a", has @ValidateNested() but lacks @Type(() => Redis)'],
    [UntypedArray, 'UntypedArray.redis, for key "/a", has @ValidateNested() but lacks @Type(() => Class)'],
    [NestedBare, 'NestedBare.bare, for key "/a", has @ValidateNested(), but Bare has no class-validator constraint'],
    [Deep, 'NotTyped.redis, for key "/a", has @ValidateNested() but lacks @Type(() => Redis)'],
    [Inherits, 'Inherits.redis, for key "/a", contains Redis, which has constraints, but lacks @ValidateNested()'],
    [Binary, 'Binary.secret, for key "/a", is a Buffer, which cannot be frozen'],
    [BinaryItems, 'BinaryItems.parts, for key "/a", is a Uint8Array, which cannot be frozen'],
  ])('are rejected if a value would not be validated: %o', (type, sentence) => {
    expect(problemOf({ key: '/a', type })).toContain(sentence);
  });

  it('may be recursive', () => {
    expect(problemOf({ key: '/a', type: Tree })).toBe('accepted');
  });
});

describe('all definitions together', () => {
  it('merge equal definitions and reject two different ones of one target', () => {
    const equal = { key: '/a', type: Database, default: { host: 'x' } };
    const { all } = new ConfigDefinitions([equal, { ...equal, default: { host: 'x' } }, { prefix: '/a', type: Redis }]);

    expect(all.map(({ target }) => target)).toEqual([{ key: '/a' }, { prefix: '/a' }]);
    expect(problemOf({ key: '/a', type: Database }, { key: '/a', type: Redis })).toBe(
      'key "/a" has two different definitions, with Database and with Redis',
    );
    expect(problemOf({ prefix: '/a', type: Redis }, { prefix: '/a', type: Redis, required: true })).toContain(
      'two different definitions',
    );
    expect(problemOf(equal, { ...equal, default: { host: 'y' } })).toContain('two different definitions');
  });

  it('govern a key by exactly one definition: key before prefix, longer prefix before shorter', () => {
    const definitions = new ConfigDefinitions([
      { prefix: '/a/', type: Database },
      { prefix: '/a/b/', type: Redis },
      { key: '/a/b/c', type: Database },
    ]);

    const governing = ['/a/x', '/a/b/x', '/a/b/c', '/a/b/cd', '/a', '/b'].map(
      (key) => definitions.governing(key)?.name,
    );

    expect(governing).toEqual(['/a/', '/a/b/', '/a/b/c', '/a/b/', undefined, undefined]);
    expect(definitions.governingPrefix('/a/b/c')?.name).toBe('/a/b/');
    expect(definitions.governingPrefix('/a')?.name).toBeUndefined();
  });

  it('are found under a prefix like in a linear search, sorted by name', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '/', 'é'), minLength: 1, maxLength: 4 });
    const target = fc.oneof(fc.record({ key: name }), fc.record({ prefix: fc.oneof(fc.constant(''), name) }));

    fc.assert(
      fc.property(
        fc.array(target, { maxLength: 30 }),
        fc.string({ unit: fc.constantFrom('a', '/', 'é'), maxLength: 4 }),
        (targets, prefix) => {
          const definitions = new ConfigDefinitions(targets.map((at) => ({ ...at, type: Database })));

          const found = definitions.under(prefix);

          const expected = definitions.all.filter(
            (one) => one.name.startsWith(prefix) || ('prefix' in one.target && prefix.startsWith(one.name)),
          );
          expect(new Set(found)).toEqual(new Set(expected));
          expect(found.length).toBe(expected.length);
          expect(found.map((one) => one.name)).toEqual(expected.map((one) => one.name).sort());
        },
      ),
    );
  });

  it('are found under a prefix much faster than in a linear search', () => {
    const targets = Array.from({ length: 20_000 }, (_, index) => ({ prefix: `/tenants/${index}/`, type: Database }));
    const definitions = new ConfigDefinitions(targets);
    const timeOf = (times: number, ask: (prefix: string) => unknown): number => {
      const started = performance.now();
      for (let index = 0; index < times; index += 1) ask(`/tenants/${index}/a`);
      return (performance.now() - started) / times;
    };

    const found = timeOf(10_000, (prefix) => definitions.under(prefix));
    const compared = timeOf(20, (prefix) => targets.filter((target) => target.prefix.startsWith(prefix)));

    expect(found).toBeLessThan(compared / 5);
  });

  it('return the definition of a class, or name the classes that differ', () => {
    const definitions = new ConfigDefinitions([
      { prefix: '/a/', type: Database },
      { key: '/a/redis', type: Redis },
    ]);

    expect(definitions.of('/a/db', Database).target).toEqual({ prefix: '/a/' });
    expect(definitions.ofPrefix('/a/r', Database).target).toEqual({ prefix: '/a/' });
    expect(() => definitions.of('/a/redis', Database)).toThrow(
      'key "/a/redis" was requested as Database, but key "/a/redis" is defined with Redis',
    );
    expect(() => definitions.of('/b', Database)).toThrow(
      'key "/b" was requested as Database, but no definition covers it',
    );
    expect(() => definitions.ofPrefix('/', Database)).toThrow(InvalidOptionsError);
  });

  it.each([undefined, 'Database', {}, () => Database])('refuse a request without a class or schema: %s', (type) => {
    const definitions = new ConfigDefinitions([{ prefix: '/a/', type: Database }]);

    for (const key of ['/a/db', '/b']) {
      expect(() => definitions.of(key, type as unknown as typeof Database)).toThrow(
        new InvalidOptionsError(
          `key "${key}" was requested without a class or schema: pass that of its definition after the key`,
          { key },
        ),
      );
    }
    expect(() => definitions.ofPrefix('/a/', type as unknown as typeof Database)).toThrow(
      'prefix "/a/" was requested without a class or schema',
    );
  });
});
