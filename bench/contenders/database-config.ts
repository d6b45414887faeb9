import { IsBoolean, IsInt, IsString, Length, Max, Min } from 'class-validator';

/** A typical configuration with six fields. */
export class DatabaseConfig {
  @IsString() @Length(1, 200) host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
  @IsString() user!: string;
  @IsString() password!: string;
  @IsInt() @Min(1) poolSize!: number;
  @IsBoolean() tls!: boolean;
}

export const documentOf = (index: number): string =>
  JSON.stringify({
    host: `db-${index}.internal`,
    port: 5_432,
    user: 'app',
    password: `secret-${index}`,
    poolSize: 10,
    tls: true,
  });
