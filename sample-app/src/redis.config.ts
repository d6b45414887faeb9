import { IsInt, IsString, Max, Min } from 'class-validator';

export class RedisConfig {
  @IsString() host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
}
