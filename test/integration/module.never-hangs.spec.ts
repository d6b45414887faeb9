import { Inject, Injectable, Module, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import {
  type ConfigRef,
  EtcdTriggerModule,
  getStoreToken,
  getWatcherToken,
  InjectConfig,
  InvalidOptionsError,
  StoreService,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { quiet } from '../support/quiet-logger.js';

class Limits {
  @IsInt() most!: number;
}

const options = () => ({ client: { hosts: '127.0.0.1:1' }, logger: quiet });
const limits = { key: '/limits', type: Limits, default: { most: 1 } };

/** Compiles an application whose options come from a class. */
const optionsFrom = (Settings: Type<object>, { isGlobal = true, imports = [] as Type<object>[] } = {}) => {
  @Module({ imports: [...imports, EtcdTriggerModule.forFeature([limits])], providers: [Settings], exports: [Settings] })
  class SettingsModule {}
  return Test.createTestingModule({
    imports: [
      EtcdTriggerModule.forRootAsync({ isGlobal, imports: [SettingsModule], inject: [Settings], useFactory: options }),
    ],
  }).compile();
};

describe('a bootstrap', () => {
  it.each([true, false])('completes with an overridden store, with isGlobal %s', async (isGlobal) => {
    const ref = { value: { most: 5 } } as ConfigRef<Limits>;
    @Injectable()
    class Reader {
      constructor(@InjectConfig(Limits) readonly limits: ConfigRef<Limits>) {}
    }
    @Module({ imports: [EtcdTriggerModule.forFeature([limits])], providers: [Reader] })
    class Reading {}
    const module = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ ...options(), isGlobal }), Reading],
    })
      .overrideProvider(StoreService)
      .useFactory({ factory: () => Promise.resolve({ ref: () => ref }) })
      .compile();

    expect(module.get(Reader, { strict: false }).limits).toBe(ref);
    await module.close();
  });

  it.each([true, false])(
    'fails if the options depend on a configuration of their own cluster, with isGlobal %s',
    async (isGlobal) => {
      @Injectable()
      class Settings {
        constructor(@InjectConfig(Limits) readonly limits: ConfigRef<Limits>) {}
      }
      const error = await optionsFrom(Settings, { isGlobal }).catch((reason: unknown) => reason);

      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect((error as Error).message).toBe(
        'the options of the cluster "default" depend on Settings, which depends on ConfigRef of Limits, which depends on StoreService, which depends on these options: take them from a provider that does not depend on this cluster',
      );
    },
  );

  it('names all providers of the cycle', async () => {
    @Injectable()
    class Audit {
      @Inject(WatcherService) readonly watcher!: WatcherService;
    }
    @Module({ providers: [Audit, { provide: 'AUDIT', useExisting: Audit }], exports: ['AUDIT'] })
    class AuditModule {}
    @Module({ imports: [AuditModule], exports: [AuditModule] })
    class Passing {}
    @Injectable()
    class Settings {
      constructor(@Inject('AUDIT') readonly audit: Audit) {}
    }

    await expect(optionsFrom(Settings, { imports: [Passing] })).rejects.toThrow(
      /depend on Settings, which depends on AUDIT, which depends on Audit, which depends on WatcherService, which depends on these options/,
    );
  });

  it('fails if the options of two clusters depend on each other', async () => {
    const dependingOn = (token: ReturnType<typeof getStoreToken>) => ({ inject: [token], useFactory: options });
    const compiled = Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRootAsync({ cluster: 'one', ...dependingOn(getWatcherToken('two')) }),
        EtcdTriggerModule.forRootAsync({ cluster: 'two', ...dependingOn(getStoreToken('one')) }),
      ],
    }).compile();

    await expect(compiled).rejects.toThrow(
      /^the options of the cluster "one" depend on .*watcher:two, which depends on .*store:one/,
    );
  });

  it('completes if the options of one cluster depend on another cluster', async () => {
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({ ...options(), cluster: 'first' }),
        EtcdTriggerModule.forRootAsync({ inject: [getWatcherToken('first')], useFactory: options }),
      ],
    }).compile();

    expect(module.get(WatcherService)).not.toBe(module.get(getWatcherToken('first')));
    await module.close();
  });
});
