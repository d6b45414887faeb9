import { Transform, Type } from 'class-transformer';
import { IsBoolean, IsDate, IsInt, ValidateNested } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { coercedProperties } from '../../lib/dto/coerced-properties.js';

class Pool {
  @Type(() => Number) @IsInt({ each: true }) sizes!: number[];
  @ValidateNested() @Type(() => Pool) inner?: Pool;
}
class Server {
  @Type(() => Boolean) @IsBoolean() on!: boolean;
  @Type(() => Number) @Transform(({ obj }: { obj: Server }) => obj.port) @IsInt() port!: number;
  @Type(() => Date) @IsDate() since!: Date;
  @IsInt() limit!: number;
  @ValidateNested({ each: true }) @Type(() => Pool) pools!: Map<string, Pool>;
}

describe('the properties whose values are converted before validation', () => {
  it('are those with the type Boolean, Number or Date, also of nested classes', () => {
    expect(coercedProperties(Server)).toEqual([
      'Server.on has @Type(() => Boolean)',
      'Server.since has @Type(() => Date)',
      'Pool.sizes has @Type(() => Number)',
    ]);
  });

  it('are none of a schema', () => {
    expect(coercedProperties({ '~standard': {} })).toEqual([]);
  });
});
