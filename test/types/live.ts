/* Compiled by `public-types.spec.ts` with the settings of several applications, and never run. */
import { IsString } from 'class-validator';
import { type Live, liveProvider } from 'nestjs-etcd-trigger';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';

class Database {
  @IsString() host!: string;
}
abstract class Clock {
  abstract now(): number;
}
class Metrics {
  count = 0;
}
class Pool {
  constructor(readonly host: string) {}
}
const Flag = z.object({ on: z.boolean() });
const LOGGER = Symbol('LOGGER');

export const providers = [
  liveProvider({
    provide: Pool,
    config: Database,
    inject: [Metrics, Clock, LOGGER, { token: Metrics, optional: true }],
    create: (config, { signal, inject }) => {
      expectTypeOf(config).toEqualTypeOf<Database>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(inject[0]).toEqualTypeOf<Metrics>();
      expectTypeOf(inject[1]).toEqualTypeOf<Clock>();
      expectTypeOf(inject[2]).toEqualTypeOf<unknown>();
      return Promise.resolve(new Pool(config.host));
    },
    dispose: (pool) => {
      expectTypeOf(pool).toEqualTypeOf<Pool>();
    },
  }),
  liveProvider({
    provide: 'flag',
    config: [Flag, '/flag'],
    create: (flag) => {
      expectTypeOf(flag).toEqualTypeOf<{ on: boolean }>();
      return flag.on;
    },
  }),
  liveProvider({
    provide: 'one',
    config: [Database, { under: '/databases/', key: 'a' }],
    create: (database) => {
      expectTypeOf(database).toEqualTypeOf<Database>();
      return new Pool(database.host);
    },
  }),
  liveProvider({
    provide: 'map',
    config: [Database, { under: '/databases/' }],
    create: (databases) => {
      expectTypeOf(databases).toEqualTypeOf<ReadonlyMap<string, Database>>();
      return databases.size;
    },
  }),
  // @ts-expect-error there is no such option
  liveProvider({ provide: 'x', config: Database, create: () => 1, drain: 1 }),
];

export async function uses(live: Live<Pool>): Promise<void> {
  expectTypeOf(await live.use((pool) => pool.host)).toEqualTypeOf<string>();
  expectTypeOf(await live.use((pool) => Promise.resolve(pool))).toEqualTypeOf<Pool>();
  expectTypeOf(live.state).toEqualTypeOf<'current' | 'kept'>();
}
