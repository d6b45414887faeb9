import { Injectable, Module, type Type } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { IsInt } from 'class-validator';
import {
  ClusterCron,
  type ConfigRef,
  EtcdTriggerInspector,
  EtcdTriggerModule,
  getConfigToken,
  InvalidOptionsError,
  OnElected,
  OnWatchResync,
  WatchKey,
  WatchKeyRegistry,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { startApp } from '../support/start-app.js';

class Limit {
  @IsInt()
  perMinute!: number;
}

const seen: string[] = [];

@Injectable()
class EagerHandlers {
  @WatchKey('/orders/')
  onOrder({ key }: WatchEvent): void {
    seen.push(`eager ${key}`);
  }
}

@Injectable()
class LazyHandlers {
  @WatchKey('/orders/')
  onOrder({ key }: WatchEvent): void {
    seen.push(`lazy ${key}`);
  }

  @OnWatchResync()
  onResync(): void {
    seen.push('resync');
  }

  @OnElected('reports')
  lead(): void {
    seen.push('leads');
  }

  @ClusterCron('* * * * *', { name: 'tick' })
  tick(): void {
    seen.push('tick');
  }
}

@Module({ providers: [LazyHandlers] })
class LazyModule {}

@Injectable()
class BrokenHandlers {
  @WatchKey('/orders/', { cluster: 'nowhere' })
  onOrder(): void {}
}

@Module({ providers: [BrokenHandlers] })
class BrokenModule {}

@Injectable()
class HalfBroken {
  @OnElected('half')
  lead(): void {
    seen.push('leads half');
  }

  @ClusterCron('* * * * *', { name: 'half' })
  tick(): void {
    seen.push('ticks half');
  }

  @ClusterCron('never', { name: 'broken' })
  broken(): void {}

  @WatchKey('/orders/', { cluster: 'nowhere' })
  onOrder(): void {}
}

@Module({ providers: [HalfBroken] })
class HalfBrokenModule {}

@Module({ imports: [EtcdTriggerModule.forFeature([{ key: '/limit', type: Limit }])] })
class LazyFeatureModule {}

@Module({ imports: [EtcdTriggerModule.forFeature([{ key: '/known', type: Limit }])] })
class KnownFeatureModule {}

async function start(logger = new CollectingLogger(), register = true) {
  seen.length = 0;
  const etcd = new FakeCluster({ '/orders/1': 'a', '/known': { perMinute: 1 } });
  const started = await startApp(
    {
      hosts: '',
      client: etcd,
      coordination: { prefix: '/coordination' },
      handlers: { register },
      configs: [{ key: '/known', type: Limit }],
      logger,
    },
    { providers: [EagerHandlers] },
  );
  const { app } = started;
  const load = (type: Type) => app.get(LazyModuleLoader).load(() => type);
  return { ...started, etcd, load, registry: app.get(WatchKeyRegistry) };
}

describe('a module that is loaded lazily', () => {
  it('takes part after register(), as if it had been there from the start', async () => {
    await using started = await start();
    const { etcd, load, registry } = started;
    await settled(etcd);
    await load(LazyModule);
    await registry.register();
    await settled(etcd);

    expect(registry.list().map(({ name, state }) => `${name} ${state}`)).toEqual([
      'EagerHandlers.onOrder following',
      'LazyHandlers.onOrder following',
    ]);
    expect([...seen].sort()).toEqual(['eager /orders/1', 'lazy /orders/1', 'leads']);
    etcd.advance(60_000);
    await settled(etcd);
    expect(seen).toContain('tick');
  });

  it('receives each event once, however often register() is called', async () => {
    await using started = await start();
    const { etcd, load, registry } = started;
    await load(LazyModule);
    await Promise.all([registry.register(), registry.register()]);
    await registry.register();
    await settled(etcd);
    seen.length = 0;
    etcd.put('/orders/2', 'b');
    await settled(etcd);

    expect(seen.sort()).toEqual(['eager /orders/2', 'lazy /orders/2']);
  });

  it('is attached together with what was left unregistered', async () => {
    await using started = await start(new CollectingLogger(), false);
    const { etcd, load, registry } = started;
    await load(LazyModule);
    expect(registry.list().map(({ state }) => state)).toEqual(['unregistered']);
    await registry.register();
    await settled(etcd);

    expect(registry.list().map(({ state }) => state)).toEqual(['following', 'following']);
  });

  it('is refused by register() if a method can never run, and harms nobody', async () => {
    await using started = await start();
    const { etcd, load, registry } = started;
    await load(BrokenModule);

    await expect(registry.register()).rejects.toThrow(/BrokenHandlers.onOrder: there is no cluster "nowhere"/);
    etcd.put('/orders/2', 'b');
    await settled(etcd);
    expect(seen).toContain('eager /orders/2');
  });

  it('takes part in nothing if one of its methods can never run, and is told all problems at once', async () => {
    await using started = await start();
    const { app, etcd, load, registry } = started;
    await load(HalfBrokenModule);
    for (const attempt of [1, 2]) {
      const refused = await registry.register().catch((error: unknown) => error);
      expect([attempt, refused]).toMatchObject([
        attempt,
        { problems: [{ subject: 'HalfBroken.broken' }, { subject: 'HalfBroken.onOrder' }] },
      ]);
    }
    etcd.advance(60_000);
    await settled(etcd);

    expect(seen).toEqual(['eager /orders/1']);
    const [cluster] = app.get(EtcdTriggerInspector).describe().clusters;
    expect([cluster?.crons, cluster?.coordination?.elections]).toEqual([[], []]);
  });

  it('cannot define a configuration that the store has not loaded', async () => {
    await using started = await start();

    const refused = started.load(LazyFeatureModule);
    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(
      'forFeature defines key "/limit" (Limit) in a module that is loaded after the store: add the definition to "configs" of EtcdTriggerModule.forRoot, or import its module at startup',
    );
  });

  it('may repeat a definition that the store has', async () => {
    await using started = await start();
    const module = await started.load(KnownFeatureModule);

    expect(module.get<ConfigRef<Limit>>(getConfigToken(Limit, '/known'), { strict: false }).value.perMinute).toBe(1);
  });
});

describe('the startup log', () => {
  it('has one line for each method, and one for the store', async () => {
    const logger = new CollectingLogger();
    await using started = await start(logger);
    await started.load(LazyModule);
    await started.registry.register();

    const lines = logger.lines.map(({ level, text }) => `${level} ${text.replace(/ \[service=.*/, '')}`);
    expect(lines.slice(0, 5)).toEqual([
      expect.stringMatching(/^log loaded 1 definition with 1 key at revision 2 in \d+ ms$/),
      'log EagerHandlers.onOrder watches prefix "/orders/"',
      'log LazyHandlers.lead runs while this instance leads "reports"',
      'log LazyHandlers.tick runs at "* * * * *" on one instance, as job "tick"',
      'log LazyHandlers.onOrder watches prefix "/orders/"',
    ]);
  });
});
