import { type HostileDocument, rejected, valid, type Verdict } from './hostile-document.js';

/** Texts of values, as the property `value`, and what they mean. */
const VALUES: readonly (readonly [text: string, value: unknown])[] = [
  ['null', null],
  ['true', true],
  [' \t\r\n false \t\r\n ', false],
  ['0', 0],
  ['-0', -0],
  ['-0.0', -0],
  ['0e+1', 0],
  ['0E9999', 0],
  ['1E22', 1e22],
  ['1e-7', 1e-7],
  ['20e1', 200],
  ['12.5e-1', 1.25],
  ['1e-999', 0],
  ['-1e-999', -0],
  ['5e-324', 5e-324],
  ['1.7976931348623157e308', 1.7976931348623157e308],
  ['0.1000000000000000055511151231257827', 0.1],
  ['9007199254740991', 9007199254740991],
  ['-9007199254740991', -9007199254740991],
  ['9007199254740993.0', 9007199254740992],
  ['9.007199254740993e15', 9007199254740992],
  ['1e300', 1e300],
  ['""', ''],
  ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'],
  ['"\\u0000"', '\0'],
  ['"\\u0041\\u00e9\\u12aB"', 'A\u00e9\u12ab'],
  ['"\\ud834\\uDD1E"', '\u{1d11e}'],
  ['"\\ud800"', '\ud800'],
  ['"\\udc00\\ud800"', '\udc00\ud800'],
  ['"\\uffff\\ufdd0"', '\uffff\ufdd0'],
  ['"\u007f\u0080\u00a0\u2028\u2029\ufeff\u202e"', '\u007f\u0080\u00a0\u2028\u2029\ufeff\u202e'],
  ['"\u{1f600}\u{10ffff}"', '\u{1f600}\u{10ffff}'],
  ['"a/*b*/c//d#e"', 'a/*b*/c//d#e'],
  ['"1e999 9007199254740993 __proto__"', '1e999 9007199254740993 __proto__'],
  ['"::,:{"', '::,:{'],
  ['[]', []],
  ['[ [ ] , [ [ ] ] ]', [[], [[]]]],
  ['[null,1,"1",[2],{}]', [null, 1, '1', [2], {}]],
  [`${'['.repeat(63)}${']'.repeat(63)}`, nestedArrays(63)],
  ['{}', {}],
  ['{"":0}', { '': 0 }],
  ['{"a:":":"}', { 'a:': ':' }],
  ['{"a":{"a":1},"b":{"a":2}}', { a: { a: 1 }, b: { a: 2 } }],
  ['{"\\u0000\\n\\u001b[31m":1}', { '\0\n\u001b[31m': 1 }],
  ['{"\\ud800":1,"\\udc00":2}', { '\ud800': 1, '\udc00': 2 }],
  ['{"\u202e\u2028":1}', { '\u202e\u2028': 1 }],
  ['{"1":"b","0":"a","-1":"c"}', { 0: 'a', 1: 'b', '-1': 'c' }],
  ['{"length":9,"then":1,"toJSON":2,"size":3,"get":4}', { length: 9, then: 1, toJSON: 2, size: 3, get: 4 }],
  ['{"proto":1,"__proto":2,"_proto_":3}', { proto: 1, __proto: 2, _proto_: 3 }],
];

const NOT_JSON = [
  ...['[1,]', '[,1]', '[1,,2]', '[1 2]', '[1:2]', '[1', '[', ']', '[1}', '[a]', '["a]', '[\t', '[-]', '[1]]', '*'],
  ...['01', '-01', '00', '+1', '.1', '-.1', '1.', '1.e1', '1e', '1e+', '1eE2', '1e1.5', '- 1', '--1', '-', '1 2'],
  ...['0x1', '0b1', '0o7', '1_000', '1n', 'Infinity', '-Infinity', 'NaN', '-NaN', '\uff11', '\u22121', '1.2.3'],
  ...['nul', 'nulll', 'True', 'TRUE', 'truefalse', 'undefined', 'None', 'new Date()', '(1)', '[...[]]', '$value'],
  ...['"', '"a', "'a'", '`a`', '"\\x41"', '"\\u00"', '"\\u{41}"', '"\\a"', '"\\0"', '"\\\n"', '"\\', '"a" "b"'],
  ...['"\n"', '"\t"', '"\0"', '"\u001f"', '"\\ud800\\u"', '\\u0022a\\u0022', '"\\U0041"', '"\\u 041"', '"a"b'],
  ...['{"a" 1}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a"::1}', '{"a"}', '{"a":1', '{"a":1]'],
  ...['{a:1}', "{'a':1}", '{1:1}', '{[]:1}', '{null:1}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{:1}', '{"a",1}', '{'],
  ...['/*c*/1', '1//c', '1#c', '<!--1', '\f1', '\v1', '\u00a01', '\u20281', '\ufeff1', '\u30001', '\u200b1', '\0'],
  ...['', ',', ':', '[1],', '1;', '@', '&a', '!', '{}{}', '\u001b[2J', '1\0'],
];

const FORBIDDEN = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'toLocaleString', 'hasOwnProperty'],
  ...['isPrototypeOf', 'propertyIsEnumerable', '__defineGetter__', '__lookupSetter__', '\\u005f_proto__'],
];

const OTHERS: readonly (readonly [text: string | Buffer, verdict: Verdict])[] = [
  ['{}', valid({})],
  ['\ufeff{"value":1}', valid({ value: 1 })],
  ['\ufeff\ufeff{"value":1}', rejected('json')],
  ['\ufeff', rejected('json')],
  ['', rejected('json')],
  [' ', rejected('json')],
  ['\0', rejected('json')],
  ['{"value":1}\0', rejected('json')],
  ['{"value":1}x', rejected('json')],
  ['{"value":1}{"value":1}', rejected('json')],
  ['value', rejected('json')],
  ...['null', 'true', '1', '"a"', '[]', '[{"value":1}]', '1e999', '-0'].map(
    (text) => [text, rejected('object')] as const,
  ),
  ['{"value":1,"value":1}', rejected('duplicateKey')],
  ['{"value":1,"\\u0076alue":2}', rejected('duplicateKey')],
  ['{"value":{"a":{},"a":{"b:":":"}}}', rejected('duplicateKey')],
  ['{"value":"::","value":[]}', rejected('duplicateKey')],
  ['{"value":1e999}', rejected('finite')],
  ['{"value":[1,{"a":-1e400}]}', rejected('finite')],
  ['{"value":123123e100000}', rejected('finite')],
  ['{"value":9007199254740992}', rejected('safeInteger')],
  ['{"value":-9007199254740993}', rejected('safeInteger')],
  ['{"value":[0,10000000000000000]}', rejected('safeInteger')],
  [`{"value":1${'0'.repeat(400)}}`, rejected('finite', 'safeInteger')],
  [`{"value":${'['.repeat(64)}${']'.repeat(64)}}`, rejected('depth')],
  [`{"value":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`, rejected('depth')],
  ['{"items":[{"n":1},{"n":"2"}]}', rejected('isInt')],
  ['{"items":{"n":1}}', rejected('isArray')],
  ['{"items":[null]}', rejected('nestedValidation')],
  ['{"items":[[{"n":1e1000}]]}', rejected('finite')],
  ['{"unique":[1,1]}', rejected('arrayUnique')],
  ['{"text":7,"integers":[1.5]}', rejected('isInt', 'isString')],
  ...FORBIDDEN.flatMap((name) => [
    [`{"${name}":{"admin":true}}`, rejected('forbiddenKey')] as const,
    [`{"value":[{"${name}":1}]}`, rejected('forbiddenKey')] as const,
  ]),
];

/** Parts of strings that are not UTF-8: overlong, truncated, surrogates, beyond the last character. */
const NOT_UTF8 = [
  '80',
  'ff',
  'c0af',
  'c1bf',
  'e080af',
  'e282',
  'eda080',
  'edb080',
  'f08080af',
  'f4908080',
  'f888808080',
];

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

const json = (name: string, bytes: string | Buffer, verdict: Verdict): HostileDocument => ({
  name,
  format: 'json',
  bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes),
  verdict,
});

/** Documents that parsers of JSON disagree about, and documents that only the rules of the library reject. */
export const JSON_DOCUMENTS: readonly HostileDocument[] = [
  ...VALUES.map(([text, value]) => json(`value ${text}`, `{"value":${text}}`, valid({ value }))),
  ...NOT_JSON.map((text) => json(`broken ${text}`, `{"value":${text}}`, rejected('json'))),
  ...OTHERS.map(([text, verdict]) => json(`document ${text.toString()}`, text, verdict)),
  ...NOT_UTF8.map((hex) =>
    json(`bytes ${hex}`, Buffer.from(`7b2276616c7565223a22${hex}227d`, 'hex'), rejected('utf8')),
  ),
  json('bytes after the document', Buffer.from('7b7dff', 'hex'), rejected('utf8')),
  json('UTF-16 without a mark', utf16('{"value":1}'), rejected('json')),
  json('UTF-16 with a mark', utf16('\ufeff{"value":1}'), rejected('utf8')),
];

function nestedArrays(levels: number): unknown[] {
  return Array.from({ length: levels - 1 }).reduce<unknown[]>((inner) => [inner], []);
}
