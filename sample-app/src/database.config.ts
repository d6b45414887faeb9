import { IsBoolean, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { Secret } from 'nestjs-etcd-trigger';

export class DatabaseConfig {
  @IsString() host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
  @IsString() user!: string;
  /** `***` replaces it in the console and in `GET /config`. */
  @Secret() @IsString() password!: string;
  @IsOptional() @IsBoolean() tls = false;
}
