import { Type } from 'class-transformer';
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, Max, Min, ValidateNested } from 'class-validator';
import { type ConfigDefinition, Secret } from 'nestjs-etcd-trigger';

export class PoolConfig {
  @IsInt() @Min(1) max!: number;
  @IsOptional() @IsInt() idle?: number;
}

export class ReplicaConfig {
  @IsString() host!: string;
  @IsOptional() @Secret() @IsString() token?: string;
}

/** Every kind of property that the form has a field for. */
export class DatabaseConfig {
  @IsString() host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
  @IsIn(['debug', 'info', 'warn']) level!: string;
  @Secret() @IsString() password!: string;
  @IsOptional() @IsBoolean() tls?: boolean;
  @ValidateNested() @Type(() => PoolConfig) pool!: PoolConfig;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => ReplicaConfig) replicas?: ReplicaConfig[];
  @IsOptional() @IsString({ each: true }) tags?: string[];
}

export class TenantConfig {
  @IsString() name!: string;
  @IsInt() @Min(1) limit!: number;
}

export class CredentialsConfig {
  @IsString() user!: string;
  @IsString() apiKey!: string;
}

export const DATABASE = '/shop/database';
export const CREDENTIALS = '/shop/credentials';
export const TENANTS = '/tenants/';
export const REGIONS = '/regions/';

export const DEFINITIONS: ConfigDefinition[] = [
  { key: DATABASE, type: DatabaseConfig, required: true },
  { key: CREDENTIALS, type: CredentialsConfig, secret: true },
  { prefix: TENANTS, type: TenantConfig },
  { prefix: REGIONS, type: TenantConfig, codec: 'yaml' },
];
