import { inspect } from 'node:util';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DtoParser, type ParseResult } from '../../../lib/dto/dto-parser.js';
import { DtoSerializer } from '../../../lib/dto/dto-serializer.js';
import type { ConfigCodec } from '../../../lib/dto/formats/document-format.js';
import { SchemaParser } from '../../../lib/dto/schema-parser.js';

class Server {
  @IsString() host!: string;
  @IsOptional() @IsInt() port?: number;
}
const json: ConfigCodec = {
  decode: (bytes) => JSON.parse(bytes.toString()) as object,
  encode: (document) => Buffer.from(JSON.stringify(document)),
};
const asyncJson: ConfigCodec = {
  decode: (bytes) => Promise.resolve().then(() => json.decode(bytes)),
  encode: (document) => Promise.resolve().then(() => json.encode(document)),
};
const limited = (codec: ConfigCodec) => new DtoParser(Server, { codec, asyncTimeoutMs: 20 });
const outcome = (result: ParseResult<object>): unknown =>
  result.ok ? result.value : result.violations.map(({ path, constraints }) => `${path}: ${constraints.join(', ')}`);

describe('a codec that returns promises', () => {
  it('reads and writes what a synchronous one does, for classes and schemas', async () => {
    const schema = new SchemaParser(z.object({ host: z.string() }), { codec: asyncJson });
    for (const parser of [limited(asyncJson), schema]) {
      const written = await new DtoSerializer<object>(parser).serialize({ host: 'a' });

      expect(written).toMatchObject({ ok: true, bytes: Buffer.from('{"host":"a"}'), value: { host: 'a' } });
      expect(outcome(await parser.parse(Buffer.from('{"host":1}')))).toMatchObject([/host: /]);
      expect(outcome(await parser.parse(Buffer.from('[]')))).toEqual([': object']);
    }
  });

  it('lays an update over the document of the key', async () => {
    const head = Buffer.from('{"host":"a","newer":{"x":1}}');
    const written = await new DtoSerializer(limited(asyncJson)).serializeOver({ host: 'b' }, head);

    expect(written).toMatchObject({ ok: true, bytes: Buffer.from('{"host":"b","newer":{"x":1}}') });
  });

  it('decodes each value once; its document stays available for comparisons', async () => {
    let decoded = 0;
    const parser = limited({ ...asyncJson, decode: (bytes) => ((decoded += 1), asyncJson.decode(bytes)) });
    const bytes = Buffer.from('{"host":"a","unknown":1}');
    const result = await parser.parse(bytes);
    if (!result.ok) throw new Error('invalid');

    expect(parser.documentOf({ value: result.value, bytes })).toEqual({ host: 'a' });
    expect(decoded).toBe(1);
  });

  const never = new Promise<never>(() => undefined);
  const thenable = {
    then: (_: unknown, reject: (error: Error) => void) => {
      reject(new Error('sesame'));
    },
  };
  it.each<[string, () => unknown, string]>([
    ['rejects', () => Promise.reject(new Error('sesame')), ': codec'],
    ['is another kind of promise that rejects', () => thenable, ': codec'],
    ['never settles', () => never, ': timeout'],
    ['resolves with a value that is not plain', () => Promise.resolve(new Map()), ': plain'],
    ['resolves with nothing', () => Promise.resolve(undefined), ': plain'],
  ])('that %s rejects the value, without the text of the error', async (_, decode, violation) => {
    const result = await limited({ ...json, decode: decode as ConfigCodec['decode'] }).parse(Buffer.from('sesame'));

    expect(outcome(result)).toEqual([violation]);
    expect(inspect(result, { depth: Infinity, showHidden: true })).not.toContain('sesame');
  });

  it.each<[string, () => unknown, string]>([
    ['rejects', () => Promise.reject(new Error('sesame')), ': codec'],
    ['never settles', () => never, ': timeout'],
    ['resolves with a text', () => Promise.resolve('sesame'), ': codec'],
  ])('that %s when it encodes rejects the write', async (_, encode, violation) => {
    const parser = limited({ ...json, encode: encode as ConfigCodec['encode'] });
    const result = await new DtoSerializer(parser).serialize({ host: 'a' });

    expect(!result.ok && outcome(result)).toEqual([violation]);
  });

  it('that rejects after the limit causes no unhandled rejection', async () => {
    let reject: (error: Error) => void = () => undefined;
    const late = new Promise<object>((_, rejectLate) => (reject = rejectLate));
    const result = await limited({ ...json, decode: () => late }).parse(Buffer.from('x'));
    reject(new Error('late'));

    // Vitest fails a run that has an unhandled rejection.
    await new Promise(setImmediate);
    expect(outcome(result)).toEqual([': timeout']);
  });
});
