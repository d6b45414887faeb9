/* Compiled by `public-types.spec.ts` with the settings of several applications, and never run. */
import { IsInt, IsString } from 'class-validator';
import { type ConfigDefinition, EtcdTriggerModule, type EtcdTriggerOptions, fromEnv } from 'nestjs-etcd-trigger';
import * as v from 'valibot';
import { z } from 'zod';

class Database {
  @IsString() host!: string;
  @IsInt() port!: number;
}
class Limit {
  @IsInt() count!: number;
}
const Flag = z.object({ on: z.boolean(), since: z.string().transform((text) => new Date(text)) });
const Name = v.object({ name: v.string() });

const client = { hosts: 'localhost:2379' };
const DATABASE = { host: 'a', port: 1 };

EtcdTriggerModule.forFeature([]);
EtcdTriggerModule.forFeature([
  { key: '/db', type: Database, default: DATABASE },
  { key: '/flag', schema: Flag, default: { on: true, since: '2026-01-01' }, onInvalid: 'skip' },
  { prefix: '/names/', schema: Name, required: true, secret: true, codec: 'yaml' },
  { prefix: '/limits/', type: Limit, unknown: 'refuse', limits: { values: 10 } },
]);
EtcdTriggerModule.forFeature([
  { key: '/db', type: Database, layers: ['/base/db', '/prod/db'], override: fromEnv('DB_') },
  { key: '/flag', schema: Flag, override: () => ({ on: false }) },
]);
EtcdTriggerModule.forFeature(
  ['a', 'b'].map((name) => ({ key: `/${name}`, type: Limit })),
  'audit',
);
const all: readonly ConfigDefinition[] = [{ key: '/db', type: Database }];
EtcdTriggerModule.forFeature(all);
EtcdTriggerModule.forFeature([...all, { key: '/limit', type: Limit, default: { count: 1 } }]);
const one: ConfigDefinition<Database> = { key: '/db', type: Database, default: DATABASE };
EtcdTriggerModule.forFeature([one]);
EtcdTriggerModule.forRoot({ client, configs: [one, { key: '/flag', schema: Flag }], cluster: 'audit' });
EtcdTriggerModule.forRootAsync({
  configs: [{ key: '/db', type: Database, default: DATABASE }],
  useFactory: (keyPrefix: string): EtcdTriggerOptions => ({ client, keyPrefix }),
  inject: ['KEY_PREFIX'],
});

// @ts-expect-error the default lacks a property
EtcdTriggerModule.forFeature([{ key: '/db', type: Database, default: { host: 'a' } }]);
// @ts-expect-error the default is of another class
EtcdTriggerModule.forFeature([one, { key: '/limit', type: Limit, default: DATABASE }]);
// @ts-expect-error the default is the output of the schema
EtcdTriggerModule.forFeature([{ key: '/flag', schema: Flag, default: { on: true, since: new Date() } }]);
// @ts-expect-error a default needs a key
EtcdTriggerModule.forFeature([{ prefix: '/db/', type: Database, default: DATABASE }]);
// @ts-expect-error layers need a key
EtcdTriggerModule.forFeature([{ prefix: '/db/', type: Database, layers: ['/base/'] }]);
// @ts-expect-error an override needs a key
EtcdTriggerModule.forFeature([{ prefix: '/db/', type: Database, override: fromEnv('DB_') }]);
// @ts-expect-error layers are a list of keys
EtcdTriggerModule.forFeature([{ key: '/db', type: Database, layers: '/base/db' }]);
// @ts-expect-error both a key and a prefix
EtcdTriggerModule.forFeature([{ key: '/db', prefix: '/db/', type: Database }]);
// @ts-expect-error neither a key nor a prefix
EtcdTriggerModule.forFeature([{ type: Database }]);
// @ts-expect-error both a class and a schema
EtcdTriggerModule.forFeature([{ key: '/db', type: Database, schema: Name }]);
// @ts-expect-error neither a class nor a schema
EtcdTriggerModule.forFeature([{ key: '/db' }]);
// @ts-expect-error a schema decides about unknown properties
EtcdTriggerModule.forFeature([{ key: '/name', schema: Name, unknown: 'refuse' }]);
// @ts-expect-error a schema whose output is no object
EtcdTriggerModule.forFeature([{ key: '/name', schema: z.string() }]);
// @ts-expect-error an unknown option
EtcdTriggerModule.forFeature([{ key: '/db', type: Database, onInvald: 'skip' }]);
// @ts-expect-error a wrong value of an option
EtcdTriggerModule.forFeature([{ key: '/db', type: Database, onInvalid: 'ignore' }]);
// @ts-expect-error the default lacks a property
EtcdTriggerModule.forRoot({ client, configs: [{ key: '/db', type: Database, default: { port: 1 } }] });
// @ts-expect-error both a key and a prefix
EtcdTriggerModule.forRootAsync({ configs: [{ key: '/db', prefix: '/', type: Limit }], useFactory: () => ({ client }) });
// @ts-expect-error both a key and a prefix
export const both: ConfigDefinition = { key: '/db', prefix: '/db/', type: Database };
