import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** A property that differs, as the page lists it. */
interface Row {
  readonly path: string;
  readonly kind: 'yours' | 'theirs' | 'same' | 'secret' | 'conflict';
  readonly yours: unknown;
  readonly theirs: unknown;
}

/** The modules of the page have no types of their own. */
interface PageModules {
  threeWay(base: unknown, yours: unknown, theirs: unknown): Row[];
  merge(base: unknown, yours: unknown, theirs: unknown, choose: (row: Row) => unknown): unknown;
  isEqual(one: unknown, other: unknown): boolean;
  markNewSecrets(document: unknown, entered: unknown): unknown;
  unmarkNewSecrets(document: unknown, entered: unknown): unknown;
  withoutMasks(document: unknown): unknown;
  withSecretsOf(document: unknown, entered: unknown): unknown;
  propertyPath(parent: string, name: string): string;
  fieldKind(schema: object, value?: unknown): string;
  resolve(schema: object, root: object): object;
  boundsText(schema: object): string;
}

const modules = await Promise.all(
  ['three-way', 'json-values', 'property-path', 'schema'].map(
    async (name) =>
      (await import(new URL(`../../lib/console/page/${name}.js`, import.meta.url).href)) as Partial<PageModules>,
  ),
);
const page = Object.assign({}, ...modules) as PageModules;

describe('the documents of the page', () => {
  const base = { host: 'a', port: 1, pool: { max: 1, idle: 1 }, tags: ['x'], old: true };
  const yours = { host: 'b', port: 2, pool: { max: 2, idle: 1 }, tags: ['x', 'y'], old: true };
  const theirs = { host: 'a', port: 3, pool: { max: 2, idle: 9 }, tags: ['z'], added: 1 };

  it('are compared property by property, and lists as a whole', () => {
    const rows = page.threeWay(base, yours, theirs).map(({ path, kind }) => `${path} ${kind}`);

    expect(rows.sort()).toEqual([
      'added theirs',
      'host yours',
      'old theirs',
      'pool.idle theirs',
      'pool.max same',
      'port conflict',
      'tags conflict',
    ]);
  });

  it('are merged as the user chooses', () => {
    const merged = page.merge(base, yours, theirs, ({ kind, path, yours: own, theirs: other }) =>
      kind === 'yours' || path === 'port' ? own : other,
    );

    expect(merged).toEqual({ host: 'b', port: 2, pool: { max: 2, idle: 9 }, tags: ['z'], added: 1 });
  });

  it('differ as a whole if one of them was deleted', () => {
    expect(page.threeWay(base, yours, undefined)).toMatchObject([{ path: '', kind: 'conflict' }]);
    expect(page.threeWay(base, base, undefined)).toMatchObject([{ path: '', kind: 'theirs' }]);
  });

  it('have names of properties that every object has, without a change of their prototype', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"hacked":1},"constructor":2}');
    const merged = page.merge({}, hostile, {}, ({ yours: own }) => own) as object;

    expect(JSON.stringify(merged)).toBe('{"__proto__":{"hacked":1},"constructor":2}');
    expect('hacked' in merged).toBe(false);
    expect(page.isEqual({}, { constructor: Object })).toBe(false);
  });

  it('show no new secret where they are compared, and let the user choose it', () => {
    const shown = { user: 'app', password: '***' };
    const marked = page.markNewSecrets(shown, { user: 'app', password: 'new' });

    expect(JSON.stringify(marked)).not.toContain('"new"');
    expect(page.threeWay(shown, marked, shown)).toMatchObject([{ path: 'password', kind: 'secret' }]);
    expect(page.unmarkNewSecrets(marked, { user: 'app', password: 'new' })).toEqual({ user: 'app', password: 'new' });
  });

  it('take the secrets that were entered at the same place, and lose their masks when an item moves', () => {
    const document = { list: [{ token: '***' }, { token: '***', name: 'b' }] };

    expect(page.withSecretsOf(document, { list: [{ token: 'one' }] })).toEqual({
      list: [{ token: 'one' }, { token: '***', name: 'b' }],
    });
    expect(page.withoutMasks(document.list[1])).toEqual({ name: 'b' });
  });

  it('have paths as the application writes them', () => {
    expect(page.propertyPath('', 'pool')).toBe('pool');
    expect(page.propertyPath('pool', 'max')).toBe('pool.max');
    expect(page.propertyPath('labels', 'odd "name"')).toBe('labels["odd \\"name\\""]');
  });
});

describe('the fields of the form', () => {
  it.each([
    [{ type: 'string', enum: ['a'] }, 'enum'],
    [{ type: 'integer' }, 'number'],
    [{ type: 'boolean' }, 'boolean'],
    [{ type: 'object', properties: {} }, 'object'],
    [{ type: 'object' }, 'map'],
    [{ type: 'array', items: {} }, 'list'],
    [{ type: 'array', prefixItems: [] }, 'json'],
    [{ type: 'any' }, 'json'],
    [{}, 'json'],
  ])('follow the schema %j', (schema, kind) => {
    expect(page.fieldKind(schema)).toBe(kind);
  });

  it('follow the value where the schema allows any, and are JSON where the value does not fit', () => {
    expect(page.fieldKind({}, 'text')).toBe('string');
    expect(page.fieldKind({}, { a: 1 })).toBe('map');
    expect(page.fieldKind({ type: 'integer' }, 'none')).toBe('number');
    expect(page.fieldKind({ type: 'integer' }, [1])).toBe('json');
    expect(page.fieldKind({ type: 'array' }, { a: 1 })).toBe('json');
  });

  it('follow references and alternatives to null, and end at a circle', () => {
    const pool = { type: 'object', properties: { max: { type: 'integer' } } };
    const root = { $defs: { Pool: pool, Circle: { $ref: '#/$defs/Circle' } } };

    expect(page.resolve({ $ref: '#/$defs/Pool' }, root)).toEqual(pool);
    expect(page.resolve({ anyOf: [{ $ref: '#/$defs/Pool' }, { type: 'null' }] }, root)).toEqual(pool);
    expect(page.resolve({ type: ['string', 'null'] }, root)).toEqual({ type: 'string' });
    expect(page.resolve({ anyOf: [{ const: 1 }, { const: 'b' }] }, root)).toMatchObject({ enum: [1, 'b'] });
    expect(page.resolve({ $ref: '#/$defs/Circle' }, root)).toEqual({});
    expect(page.resolve({ $ref: '#/$defs/__proto__' }, root)).toEqual({});
  });

  it('describe the bounds of a value', () => {
    expect(page.boundsText({ type: 'integer', minimum: 1, maximum: 9 })).toBe('whole number, 1 to 9');
    expect(page.boundsText({ type: 'string', minLength: 3 })).toBe('at least 3 characters');
    expect(page.boundsText({ type: 'array', maxItems: 2 })).toBe('at most 2 items');
  });
});

describe('the document of the page', () => {
  it('links every module, so that the browser loads them side by side, and every style', () => {
    const html = readFileSync('lib/console/page/index.html', 'utf8');
    const files = readdirSync('lib/console/page').filter((name) => /\.(?:js|css|svg)$/.test(name));

    expect([...html.matchAll(/assets\/([\w.-]+)/g)].map(([, name]) => name).sort()).toEqual(files.sort());
    expect(html).not.toMatch(/style=|onclick=|<script>|https?:/);
  });
});
