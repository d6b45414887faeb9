import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import * as yaml from 'yaml';
import { describe, expect, it } from 'vitest';
import { YamlFormat } from '../../../lib/dto/formats/yaml-format.js';
import { MAX_ALIASES, MAX_YAML_BYTES } from '../../../lib/dto/formats/yaml-limits.js';

/** Repeats a text up to the size limit of a document. */
const filled = (piece: string, before = '', after = ''): string =>
  before + piece.repeat(Math.floor((MAX_YAML_BYTES - before.length - after.length) / piece.length)) + after;

const verdict = (document: string): string => {
  const result = new YamlFormat().read(Buffer.from(document));
  return result.ok ? 'ok' : result.violations.map(({ constraints }) => constraints.join()).join();
};

/** The indentation grows with each level, so few levels fit into the size limit. */
const blockMaps = (levels: number): string =>
  Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:\n`).join('');

const NESTED = [
  ['flow sequences', (levels: number) => `x: ${'['.repeat(levels)}`],
  ['closed flow sequences', (levels: number) => `x: ${'['.repeat(levels)}${']'.repeat(levels)}`],
  ['flow maps', (levels: number) => `x: ${'{a: '.repeat(levels)}`],
  ['pairs in flow sequences', (levels: number) => `x: ${'[a: '.repeat(levels)}`],
  ['explicit keys in flow', (levels: number) => `x: ${'[? '.repeat(levels)}`],
  ['block sequences', (levels: number) => `x:\n ${'- '.repeat(levels)}`],
  ['explicit keys', (levels: number) => '? '.repeat(levels)],
  ['explicit values', (levels: number) => ': '.repeat(levels)],
  ['block maps', (levels: number) => blockMaps(Math.min(levels, 480))],
  ['maps after errors', (levels: number) => 'a: b: c\n'.repeat(levels)],
] as const;

describe('a nested YAML document', () => {
  it.each(NESTED)('of %s is rejected before it is composed', (_, nested) => {
    expect(verdict(nested(1_000).slice(0, MAX_YAML_BYTES)), 'of 1,000 levels').toBe('depth');
    expect(verdict(nested(100_000).slice(0, MAX_YAML_BYTES)), 'of the largest size').toBe('depth');
  });

  it('does not end the process', async () => {
    const documents = NESTED.flatMap(([, nested]) =>
      [400, 1_000, 1_200, 5_000, 40_000].map((levels) => nested(levels).slice(0, MAX_YAML_BYTES)),
    );
    const child = spawn(process.execPath, ['test/fixtures/read-yaml.mjs'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        resolve({ code, signal });
      }),
    );
    child.stdin.end(JSON.stringify(documents));

    const output = await text(child.stdout);

    expect(await ended).toEqual({ code: 0, signal: null });
    expect(output.trim().split('\n')).toEqual(documents.map(() => 'depth'));
  });
});

describe('a YAML document of the largest size', () => {
  it.each([
    ['directives', filled('%a\n'), 'size'],
    ['known directives', filled('%TAG !a! b\n', '', '---\na: 1'), 'size'],
    ['commas', filled(',', 'x: {'), 'size'],
    ['comments', filled('#\n'), 'size'],
    ['comments inside a collection', filled('#\n', 'x: [\n', ']'), 'size'],
    ['small items', filled('a,', 'x: [', ']'), 'size'],
    ['brackets that close nothing', filled(']'), 'yaml'],
    ['brackets after values', filled('a: ]\n'), 'yaml'],
    ['documents', filled('---\n'), 'yaml'],
    ['document ends', filled('...\n'), 'yaml'],
    ['anchors', filled('&a\n'), 'alias'],
    ['anchors of items', filled('&a 1,', 'x: [', ']'), 'alias'],
    ['aliases', filled('*a,', 'x: &a 1\ny: [', ']'), 'alias'],
    ['tags', filled('! '), 'size'],
    ['quotes', filled('"'), 'yaml'],
    ['escapes that do not exist', filled('\\x', 'a: "', '"'), 'yaml'],
    ['indicators of block scalars', filled('- |\n'), 'size'],
    ['line breaks', filled('\n', 'a: 1\n'), 'size'],
    ['line breaks in a folded scalar', filled(' b\n\n\n', 'a: >\n'), 'ok'],
    ['properties', Array.from({ length: 9_000 }, (_, index) => `key${index}: v\n`).join(''), 'ok'],
  ])('with nothing but %s has a verdict', (_, document, expected) => {
    expect(document.length).toBeLessThanOrEqual(MAX_YAML_BYTES);
    expect(verdict(document)).toBe(expected);
  });

  it('has few errors composed, without their stack traces', () => {
    const { stackTraceLimit } = Error;
    expect(verdict(`x: [${','.repeat(50_000)}]`)).toBe('yaml');
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });
});

describe('the limits of YAML', () => {
  it('do not reject a configuration of the usual kinds', () => {
    const services = Array.from({ length: 500 }, (_, index) => ({
      name: `service-${index}`,
      ports: [80, 443],
      labels: { tier: 'web', note: '& not an anchor, * not an alias, % not a directive' },
    }));
    const document = `%YAML 1.2\n---\n# all services\n${yaml.stringify({ services })}`;

    expect(new YamlFormat().read(Buffer.from(document))).toEqual({ ok: true, value: { services } });
  });

  it('count anchors and aliases, not the characters & and * in scalars', () => {
    const scalars = Array.from({ length: 2_000 }, (_, index) => `- |\n  &a *b ${index}\n- "*a"\n- '&b'\n`).join('');
    const aliases = (count: number): string =>
      `a: &a 1\nb: &b 2\nc: [${Array.from({ length: count }, (_, index) => (index % 2 ? '*a' : '*b')).join()}]`;

    expect(verdict(`x:\n${scalars}`)).toBe('ok');
    expect(verdict(aliases(MAX_ALIASES))).toBe('ok');
    expect(verdict(aliases(MAX_ALIASES + 1))).toBe('alias');
  });
});
