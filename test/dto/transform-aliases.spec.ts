import { Expose, Transform, Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { DtoParser, type ParseResult } from '../../lib/dto/dto-parser.js';
import { DtoSerializer } from '../../lib/dto/dto-serializer.js';

interface Former {
  readonly maxConnections?: unknown;
  readonly legacy?: { readonly url?: unknown };
}
class Pool {
  @Transform(({ value, obj }: { value: unknown; obj: Former }) => value ?? obj.maxConnections) @IsInt() size!: number;
}
class Exposed {
  @Expose()
  @Transform(({ value, obj: { maxConnections } }: { value: unknown; obj: Former }) => value ?? maxConnections)
  @IsInt()
  size!: number;
}
class Service {
  @IsString() host!: string;
  @Transform(({ value, obj }: { value: unknown; obj: Former }) => value ?? obj.legacy?.url) @IsOptional() @IsString() url?: string; // prettier-ignore
  @ValidateNested({ each: true }) @Type(() => Pool) pools!: Pool[];
}

const parse = <T extends object>(type: new () => T, document: object, unknown: 'strip' | 'refuse' = 'strip') => {
  const result = new DtoParser(type, { unknown }).parse(Buffer.from(JSON.stringify(document))) as ParseResult<T>;
  return result.ok ? { value: result.value, stripped: result.stripped } : result.violations;
};

describe('a former name of a property that @Transform() reads', () => {
  it.each([
    ['with @Expose()', Exposed],
    ['without @Expose()', Pool],
  ])('is read, but not a property: %s', (_, type) => {
    for (const unknown of ['strip', 'refuse'] as const) {
      expect(parse(type, { maxConnections: 5 }, unknown)).toEqual({ value: { size: 5 }, stripped: [] });
      expect(parse(type, { size: 7, maxConnections: 5 }, unknown)).toEqual({ value: { size: 7 }, stripped: [] });
      expect(parse(type, { maxConnections: 'x' }, unknown)).toEqual([{ path: 'size', constraints: ['isInt'] }]);
    }
    expect(parse(type, { size: 7, other: 1 })).toEqual({ value: { size: 7 }, stripped: ['other'] });
    expect(parse(type, { size: 7, other: 1 }, 'refuse')).toEqual([{ path: 'other', constraints: ['unknown'] }]);
  });

  it('is read in nested parts, and with nested values', () => {
    const document = { host: 'h', legacy: { url: 'u' }, pools: [{ maxConnections: 1 }, { size: 2 }] };

    expect(parse(Service, document, 'refuse')).toEqual({
      value: { host: 'h', url: 'u', pools: [{ size: 1 }, { size: 2 }] },
      stripped: [],
    });
  });

  it('is a part of the document: its change is one, and an update keeps it for older versions', async () => {
    const parser = new DtoParser(Pool);
    const written = await new DtoSerializer(parser).serializeOver({ size: 7 }, Buffer.from('{"maxConnections":5}'));

    expect(parser.documentOf({ value: undefined, bytes: Buffer.from('{"maxConnections":5}') })).toEqual({ maxConnections: 5 }); // prettier-ignore
    expect(written.ok && JSON.parse(written.bytes.toString())).toEqual({ size: 7, maxConnections: 5 });
  });
});
