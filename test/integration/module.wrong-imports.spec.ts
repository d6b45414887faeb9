import { Injectable, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  type ConfigDefinition,
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  InvalidOptionsError,
  StoreService,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { Limit } from '../support/configs.js';
import { quiet } from '../support/quiet-logger.js';

type Imports = NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>;

const HOSTS = { hosts: '127.0.0.1:1' };
const NO_OPTIONS = 'EtcdTriggerModule needs options: at least { client: { hosts: "host:2379" } }';
const NO_RESULT =
  '"useFactory" of EtcdTriggerModule.forRootAsync must return the options: at least { client: { hosts: "host:2379" } }';

const withOptions = (options: unknown) => (): Imports => [EtcdTriggerModule.forRoot(options as EtcdTriggerOptions)];
const withAsync = (options: unknown) => (): Imports => [
  EtcdTriggerModule.forRootAsync(options as Parameters<typeof EtcdTriggerModule.forRootAsync>[0]),
];
const withFeature = (configs: unknown) => (): Imports => [
  ...withOptions({ client: HOSTS })(),
  EtcdTriggerModule.forFeature(configs as ConfigDefinition[]),
];

describe('a wrong import of the module is refused in one sentence', () => {
  it.each<[string, () => Imports, string]>([
    ['no options', withOptions(undefined), NO_OPTIONS],
    ['null', withOptions(null), NO_OPTIONS],
    ['an address', withOptions('localhost:2379'), NO_OPTIONS],
    ['an address from a factory', withAsync({ useFactory: () => 'localhost:2379' }), NO_RESULT],
    ['null from a factory', withAsync({ useFactory: () => null }), NO_RESULT],
    ['no asynchronous options', withAsync(undefined), NO_OPTIONS],
    ['no factory', withAsync({}), 'EtcdTriggerModule.forRootAsync needs useFactory, useClass or useExisting'],
    ['an option of the client', withOptions(HOSTS), '"hosts" is not an option: did you mean "client.hosts"?'],
    [
      'a nested option',
      withOptions({ client: HOSTS, drainTimeoutMs: 5 }),
      '"drainTimeoutMs" is not an option: did you mean "shutdown.drainTimeoutMs"?',
    ],
    [
      'one definition without an array',
      withOptions({ client: HOSTS, configs: { key: '/a', type: Limit } }),
      '"configs" of EtcdTriggerModule.forRoot must be an array of { key, type } or { prefix, type }',
    ],
    [
      'an undefined definition',
      withAsync({ configs: [undefined], useFactory: () => ({ client: HOSTS }) }),
      '"configs" of EtcdTriggerModule.forRootAsync must be an array of { key, type } or { prefix, type }',
    ],
    [
      'one definition of a feature without an array',
      withFeature({ key: '/a', type: Limit }),
      'the definitions of EtcdTriggerModule.forFeature must be an array of { key, type } or { prefix, type }',
    ],
    [
      'a definition without a key',
      withFeature([{ type: Limit }]),
      'the definition of Limit has neither "key" nor "prefix"; give one of them',
    ],
    [
      'the module without forRoot',
      () => [EtcdTriggerModule],
      'EtcdTriggerModule is imported without options: import EtcdTriggerModule.forRoot({ client: { hosts: "host:2379" } }) once, and nothing in the other modules',
    ],
  ])('%s', async (_, imports, message) => {
    const start = async () => Test.createTestingModule({ imports: imports() }).setLogger(quiet).compile();
    const failure: unknown = await start().catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(InvalidOptionsError);
    expect((failure as Error).message).toBe(message);
  });
});

describe('a handler whose class Nest constructs without arguments', () => {
  /** As a compiler without `emitDecoratorMetadata` emits it. */
  class Orders {
    constructor(readonly store: StoreService) {}

    onOrder(): void {
      // Never called.
    }
  }
  const method = Object.getOwnPropertyDescriptor(Orders.prototype, 'onOrder') as PropertyDescriptor;
  WatchKey('/orders/')(Orders.prototype, 'onOrder', method);
  Injectable()(Orders);

  const start = async (provider: object) => {
    const imports = [EtcdTriggerModule.forRoot({ client: new FakeCluster(), logger: quiet })];
    const app = await Test.createTestingModule({ imports, providers: [provider as typeof Orders] }).compile();
    await app.init();
    await app.close();
  };

  it.each([
    ['a singleton', Orders],
    ['a provider of every event', { provide: Orders, useClass: Orders, scope: Scope.REQUEST }],
  ])('stops the start: %s', async (_, provider) => {
    await expect(start(provider)).rejects.toThrow(
      'the application cannot start: Orders: Nest does not know the types of its constructor parameters and passes no arguments: add @Injectable() to the class, and compile it with "emitDecoratorMetadata" in tsconfig.json (esbuild cannot emit it, see docs/bundling.md)',
    );
  });

  it.each([
    ['a factory', { provide: Orders, useFactory: (store: StoreService) => new Orders(store), inject: [StoreService] }],
    ['a value', { provide: Orders, useValue: new Orders({} as StoreService) }],
  ])('starts if %s provides its instance', async (_, provider) => {
    await expect(start(provider)).resolves.toBeUndefined();
  });
});

it('the store refuses to read a key without a class', async () => {
  const imports = [EtcdTriggerModule.forRoot({ client: new FakeCluster(), configs: [{ key: '/a', type: Limit }] })];
  const app = await Test.createTestingModule({ imports }).setLogger(quiet).compile();
  const read = (): unknown => app.get(StoreService).get('/a', undefined as unknown as typeof Limit);

  expect(read).toThrow(InvalidOptionsError);
  await app.close();
});
