import { type HostileDocument, rejected, valid, type Verdict } from './hostile-document.js';

/** Near the limits of a JSON document (and of a request that writes it) and of a YAML document, in bytes. */
const JSON_BYTES = 1.5 * 1024 * 1024 - 1024;
const YAML_BYTES = 128 * 1024;

/** Repeats a text between two others, up to the size. */
const filled = (size: number, before: string, piece: string, after: string): string =>
  before + piece.repeat(Math.floor((size - before.length - after.length) / piece.length)) + after;

/** A list of a JSON value, up to the limit of the size or of the number of values. */
const listOf = (property: string, item: string): string =>
  `{"${property}":[${`${item},`.repeat(Math.min(499_998, Math.floor(JSON_BYTES / (item.length + 1)) - 20))}${item}]}`;

const members = (count: number, member: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => member(index)).join();

const nestedMaps = (levels: number): string =>
  Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:\n`).join('');

type Bomb = readonly [name: string, text: string, verdict: Verdict | 'any value'];

/** Documents that take a large part of the budget. */
const EXPENSIVE: readonly Bomb[] = [
  ['nested lists', `{"value":${'['.repeat(700_000)}${']'.repeat(700_000)}}`, rejected('depth')],
  ['unsafe integers', listOf('value', '9007199254740993'), rejected('safeInteger', 'more')],
  ['numbers', listOf('integers', '1'), 'any value'],
  ['distinct texts', `{"unique":[${members(150_000, (index) => `"${index}"`)}]}`, 'any value'],
  ['nested objects of a class', `{"items":[${members(19_998, () => '{"n":1}')}]}`, 'any value'],
  ['wrong nested objects of a class', `{"items":[${members(19_998, () => '{"n":"a"}')}]}`, rejected('isInt', 'more')],
  ['many maps', `{"value":[${members(6, () => `{${members(16_000, (n) => `"l${n}":1`)}}`)}]}`, 'any value'],
];

const JSON_BOMBS: readonly Bomb[] = [
  ['a long string', filled(JSON_BYTES, '{"text":"', 'x', '"}'), 'any value'],
  ['a long string of escapes', filled(JSON_BYTES, '{"text":"', '\\u0000', '"}'), 'any value'],
  ['a long string of colons', filled(JSON_BYTES, '{"text":"', ':', '"}'), 'any value'],
  ['a long string of other characters', filled(JSON_BYTES / 2, '{"text":"', '\u00e9', '"}'), 'any value'],
  ['a long string that does not end', filled(JSON_BYTES, '{"text":"', '\\"', ''), rejected('json')],
  ['a long name', filled(JSON_BYTES, '{"value":{"', 'n', '":1}}'), 'any value'],
  [
    'a long name over numbers',
    `{"value":{"${'n'.repeat(1_400_000)}":[${members(390, () => '1e999')}]}}`,
    rejected('finite'),
  ],
  ['spaces', filled(JSON_BYTES, '{"value":', ' ', '1}'), valid({ value: 1 })],
  ['nested objects', `{"value":${'{"a":'.repeat(250_000)}1${'}'.repeat(250_000)}}`, rejected('depth')],
  [
    'nested lists in many items',
    `{"value":[${members(300, () => `${'['.repeat(64)}${']'.repeat(64)}`)}]}`,
    rejected('depth', 'more'),
  ],
  ['digits', filled(JSON_BYTES, '{"value":', '9', '}'), rejected('finite', 'safeInteger')],
  ['digits after a point', filled(JSON_BYTES, '{"value":0.', '3', '}'), valid({ value: 1 / 3 })],
  ['digits of an exponent', filled(JSON_BYTES, '{"value":1e', '9', '}'), rejected('finite')],
  ['zeros of an exponent', filled(JSON_BYTES, '{"value":1e', '0', '1}'), valid({ value: 10 })],
  ['too many numbers', filled(JSON_BYTES, '{"value":[', '1,', '1]}'), rejected('limits.values')],
  ['lists in a list', `{"unique":[${members(19_998, () => '[]')}]}`, 'any value'],
  ['properties', `{"labels":{${members(19_999, (index) => `"${index}l":${index}`)}}}`, 'any value'],
  ['too many properties of one object', `{"labels":{${members(20_001, (n) => `"l${n}":1`)}}}`, rejected('properties')],
  [
    'too many properties',
    `{"value":[${members(7, () => `{${members(15_000, (index) => `"${index}":1`)}}`)}]}`,
    rejected('limits.properties'),
  ],
  ['one name many times', `{"value":{${members(250_000, () => '"a":1')}}}`, rejected('duplicateKey')],
  [
    'forbidden names under a long name',
    `{"value":{"${'p'.repeat(500_000)}":{${members(2_000, (n) => `"${n}":{"__proto__":1}`)}}}}`,
    rejected('forbiddenKey'),
  ],
  ['forbidden names', `{"value":[${members(19_000, () => '{"constructor":{}}')}]}`, rejected('forbiddenKey', 'more')],
  ['more bytes than the limit', filled(2 * JSON_BYTES, '{"text":"', 'x', '"}'), rejected('limits.documentBytes')],
  ['bytes after the end', filled(JSON_BYTES, '{"value":1}', '}', ''), rejected('json')],
  ['infinite numbers', `{"value":[${members(50_000, () => '1e999')}]}`, rejected('finite', 'more')],
  ['texts for integers', `{"integers":[${members(50_000, () => '""')}]}`, rejected('isInt')],
  ['equal numbers', `{"unique":[${members(50_000, () => '7')}]}`, rejected('arrayUnique')],
  ['too many nested objects', `{"items":[${members(20_001, () => '{}')}]}`, rejected('limits.nestedObjects')],
  ['open lists', `{"value":${'['.repeat(200_000)}`, rejected('json')],
];

const YAML_BOMBS: readonly Bomb[] = [
  ['nested lists', `value: ${'['.repeat(60_000)}${']'.repeat(60_000)}`, rejected('depth')],
  ['open lists', filled(YAML_BYTES, 'value: ', '[', ''), rejected('depth')],
  ['open maps', filled(YAML_BYTES, 'value: ', '{a: ', ''), rejected('depth')],
  ['nested block lists', filled(YAML_BYTES, 'value:\n ', '- ', ''), rejected('depth')],
  ['nested block maps', nestedMaps(480), rejected('depth')],
  ['nested keys', filled(YAML_BYTES, '', '? ', ''), rejected('depth')],
  ['a list of a list, nine times', `value:\n${laughs(9, 9)}`, rejected('alias')],
  ['a list of a list, twenty times', `value:\n${laughs(20, 2)}`, rejected('alias')],
  ['anchors', filled(YAML_BYTES, 'value: [', '&a 1,', ']'), rejected('alias')],
  ['aliases', filled(YAML_BYTES, 'value: [&a 1,', '*a,', ']'), rejected('alias')],
  ['directives', filled(YAML_BYTES, '', '%a\n', ''), rejected('size')],
  ['commas', filled(YAML_BYTES, 'value: {', ',', ''), rejected('size')],
  ['tags', filled(YAML_BYTES, 'value: ', '!a ', ''), rejected('yaml')],
  ['documents', filled(YAML_BYTES, '', '---\n', ''), rejected('yaml')],
  ['errors', filled(YAML_BYTES, '', 'a: ]\n', ''), rejected('yaml')],
  ['comments', filled(YAML_BYTES, 'value: 1\n', '#\n', ''), rejected('size')],
  ['line breaks', filled(YAML_BYTES, 'value: >\n', ' a\n\n', ''), 'any value'],
  ['a long text', filled(YAML_BYTES, 'text: ', 'x', ''), 'any value'],
  ['a long quoted text', filled(YAML_BYTES, 'text: "', '\\x00', '"'), 'any value'],
  ['an open quote', filled(YAML_BYTES, 'text: "', "'", ''), rejected('yaml')],
  ['a long name', filled(YAML_BYTES, '? ', 'n', '\n: 1'), 'any value'],
  ['digits', filled(YAML_BYTES, 'value: ', '9', ''), rejected('safeInteger')],
  ['properties', `value:\n${Array.from({ length: 8_000 }, (_, n) => `  k${n}: v`).join('\n')}`, 'any value'],
  ['one name many times', filled(YAML_BYTES / 2, 'value:\n', '  a: 1\n', ''), rejected('duplicateKey')],
  ['merge keys', filled(YAML_BYTES / 8, 'value:\n', '  <<: {a: 1}\n', ''), rejected('mergeKey')],
  ['more bytes than the limit', filled(2 * YAML_BYTES, 'text: ', 'x', ''), rejected('size')],
];

/** Documents that are as large as possible, or whose text is short for what it means. */
export const BOMBS: readonly (readonly [name: string, documents: readonly HostileDocument[]])[] = [
  ...EXPENSIVE.map((bomb) => [bomb[0], [documentOf('json', bomb)]] as const),
  ['other JSON documents', JSON_BOMBS.map((bomb) => documentOf('json', bomb))],
  ['YAML documents', YAML_BOMBS.map((bomb) => documentOf('yaml', bomb))],
];

/** `any value`: valid, but not compared, because the value is as large as the document. */
function documentOf(format: HostileDocument['format'], [name, text, verdict]: Bomb): HostileDocument {
  return { name, format, bytes: Buffer.from(text), verdict: verdict === 'any value' ? valid(undefined) : verdict };
}

/** Each line is a list of the line before it, several times. */
function laughs(levels: number, times: number): string {
  const lines = Array.from({ length: levels }, (_, level) => {
    const items = level === 0 ? '"lol"' : `*l${level - 1}`;
    return ` - &l${level} [${Array.from({ length: times }, () => items).join()}]`;
  });
  return lines.join('\n');
}
