import { IsBoolean, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

export class DatabaseConfig {
  @IsString() host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
  @IsString() user!: string;
  @IsString() password!: string;
  @IsOptional() @IsBoolean() tls = false;
}
