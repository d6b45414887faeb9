import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, Min, ValidateNested } from 'class-validator';
import { type ConfigDefinition, Secret } from 'nestjs-etcd-trigger';
import { z } from 'zod';

export class Pool {
  @IsInt() @Min(1) max!: number;
}

export class Replica {
  @IsString() host!: string;
  @IsOptional() @Secret() @IsString() token?: string;
}

export class Database {
  @IsString() host!: string;
  @IsInt() @Min(1) @Max(65_535) port!: number;
  @IsOptional() @IsIn(['debug', 'info']) level?: string;
  @Secret() @IsString() password!: string;
  @IsOptional() @ValidateNested() @Type(() => Pool) pool?: Pool;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Replica) replicas?: Replica[];
  @IsOptional() @IsString({ each: true }) tags?: string[];
  @IsOptional() @ValidateNested() @Type(() => Replica) hosts?: Map<string, Replica>;
}

export class Credentials {
  @IsString() user!: string;
  @IsString() apiKey!: string;
}

export class Tenant {
  @IsString() name!: string;
  @IsInt() @Min(1) limit!: number;
}

export class Banner {
  @IsString() value!: string;
}

export const KEYS = {
  database: '/shop/database',
  credentials: '/shop/credentials',
  flags: '/shop/flags',
  banner: '/shop/banner',
  mail: '/shop/mail',
  mailBase: '/shop/mail-base',
  tenants: '/tenants/',
  regions: '/regions/',
} as const;

/** Parts of all values that no answer may contain. */
export const CANARY = 'canary-4711';

export const DEFINITIONS: ConfigDefinition[] = [
  { key: KEYS.database, type: Database, required: true },
  { key: KEYS.credentials, type: Credentials, secret: true },
  { key: KEYS.flags, schema: z.object({ checkout: z.boolean(), ratio: z.number().max(1) }) },
  { key: KEYS.banner, type: Banner, codec: 'text' },
  { key: KEYS.mail, type: Database, layers: [KEYS.mailBase, KEYS.mail], codec: 'yaml' },
  { prefix: KEYS.tenants, type: Tenant },
  { prefix: KEYS.regions, type: Tenant, codec: 'yaml' },
];

/** Documents at the start; every secret contains the canary. */
export const INITIAL = {
  [KEYS.database]: {
    host: 'db-1',
    port: 5_432,
    password: `${CANARY}-database`,
    pool: { max: 20 },
    replicas: [
      { host: 'r-1', token: `${CANARY}-1` },
      { host: 'r-2', token: `${CANARY}-2` },
    ],
    passwrod: `${CANARY}-misspelled`,
  },
  [KEYS.credentials]: { user: `${CANARY}-user`, apiKey: `${CANARY}-key` },
  [KEYS.flags]: { checkout: true, ratio: 0.5 },
  [KEYS.banner]: 'Welcome',
  [KEYS.mailBase]: `host: mail-1\nport: 25\npassword: ${CANARY}-mail\n`,
  [KEYS.mail]: 'port: 465\n',
  [`${KEYS.tenants}acme`]: { name: 'Acme', limit: 10 },
  [`${KEYS.tenants}bob`]: { name: 'Bob', limit: 0 },
  [`${KEYS.regions}eu`]: 'name: Europe\nlimit: 3\n',
};
