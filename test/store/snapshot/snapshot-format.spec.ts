import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SnapshotContent } from '../../../lib/store/snapshot/snapshot-content.js';
import { decodeSnapshot, encodeSnapshot, UnusableSnapshotError } from '../../../lib/store/snapshot/snapshot-format.js';

const KEY = randomBytes(32);

const content = (documents: [key: string, revision: number, value: string][] = []): SnapshotContent => ({
  clusterId: '14841639068965178418',
  cluster: 'default',
  keyPrefix: '/app',
  asOf: 1_790_000_000_000,
  definitions: ['key "/db"'],
  documents: documents.map(([key, revision, value]) => ({ key, revision, bytes: Buffer.from(value) })),
});
const encoded = (given: SnapshotContent, key?: Buffer): Buffer => Buffer.concat([...encodeSnapshot(given, key)]);
const reasonOf = (file: Buffer, key?: Buffer): string => {
  try {
    decodeSnapshot(file, key);
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a snapshot file', () => {
  it('reads back any content, encrypted or not', () => {
    const documents = fc.array(
      fc.record({
        key: fc.string({ unit: 'binary' }),
        revision: fc.maxSafeNat(),
        bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      }),
      { maxLength: 700 },
    );
    fc.assert(
      fc.property(documents, fc.constantFrom(undefined, KEY), (given, key) => {
        const whole = { ...content(), documents: given };
        expect(decodeSnapshot(encoded(whole, key), key)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it('is rejected if any byte is changed or missing', () => {
    const file = encoded(content([['/db', 7, '{"host":"a"}']]), KEY);
    for (let index = 0; index < file.length; index += 1) {
      const changed = Buffer.from(file);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect([index, reasonOf(changed, KEY)]).not.toEqual([index, 'none']);
      expect([index, reasonOf(file.subarray(0, index), KEY)]).not.toEqual([index, 'none']);
    }
    expect(reasonOf(file, KEY)).toBe('none');
  });

  it('reports the reason if it cannot be used', () => {
    const plain = encoded(content([['/db', 7, '{}']]));
    const sealed = encoded(content([['/db', 7, '{}']]), KEY);

    expect(reasonOf(plain.subarray(0, -5))).toBe('is damaged or incomplete');
    expect(reasonOf(Buffer.from('hello\n'))).toBe('is not a snapshot or is damaged');
    expect(reasonOf(Buffer.alloc(0))).toBe('is not a snapshot or is damaged');
    expect(reasonOf(Buffer.from(plain.toString('latin1').replace('/1 ', '/2 '), 'latin1'))).toBe(
      'has format version 2, which is not 1',
    );
    expect(reasonOf(sealed, randomBytes(32))).toBe('was written with another encryptionKey');
    expect(reasonOf(sealed)).toBe('is encrypted, but there is no encryptionKey');
    expect(reasonOf(plain, KEY)).toBe('is not encrypted, although there is an encryptionKey');
  });

  const HEAD = { clusterId: '1', cluster: 'default', keyPrefix: '', asOf: 1, definitions: ['key "/db"'] };
  const DOCUMENT = ['/db', 7, 'e30='];
  it.each([
    ['nothing', ['']],
    ['no JSON', ['sesame']],
    ['null', [null]],
    ['a list', [[]]],
    ['a number', [1]],
    ...Object.keys(HEAD).flatMap((name) =>
      [undefined, null, true, {}, name === 'asOf' ? '1' : 1, [null], [[]]].map((value): [string, unknown[]] => [
        `${name} as ${JSON.stringify(value)}`,
        [{ ...HEAD, [name]: value }, DOCUMENT],
      ]),
    ),
    ...[-1, 1.5, 1e300, 9e15].map((asOf): [string, unknown[]] => [`asOf as ${asOf}`, [{ ...HEAD, asOf }]]),
    ...[null, 1, {}, [], ['/db', 7], ['/db', 7, 'e30=', 1], ['__proto__'], 'text', ''].map(
      (document): [string, unknown[]] => [`a document as ${JSON.stringify(document)}`, [HEAD, document, DOCUMENT]],
    ),
    ...[
      [null, 7, 'e30='],
      [1, 7, 'e30='],
      ['/db', '7', 'e30='],
      ['/db', null, 'e30='],
      ['/db', -1, 'e30='],
    ].map((document): [string, unknown[]] => [`a document as ${JSON.stringify(document)}`, [HEAD, DOCUMENT, document]]),
    ...[null, 1, {}, ['e30='], 'e30', '***', 'e30= '].map((bytes): [string, unknown[]] => [
      `bytes as ${JSON.stringify(bytes)}`,
      [HEAD, ['/db', 7, bytes]],
    ]),
  ])('with the right checksum is rejected if it contains %s', (_, lines) => {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const whole = Buffer.from(`nestjs-etcd-trigger-snapshot/1 plain\n${text}\n`);
    const file = Buffer.concat([whole, createHash('sha256').update(whole).digest()]);

    expect(() => decodeSnapshot(file)).toThrow(UnusableSnapshotError);
    expect(reasonOf(file)).toBe('has another content than a snapshot');
  });

  it('contains no readable keys and values if it is encrypted, and never the same bytes twice', () => {
    const given = content([['/db', 7, 'a value that nobody may see']]);
    const [first, second] = [encoded(given, KEY), encoded(given, KEY)];

    for (const secret of ['/db', '/app', 'nobody', Buffer.from('nobody').toString('base64')]) {
      expect(first.includes(secret)).toBe(false);
    }
    expect(first.subarray(100).equals(second.subarray(100))).toBe(false);
  });
});
