import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { OnWatchError, OnWatchResync, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule } from 'nestjs-etcd-trigger/testing';
import { expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';

@Injectable()
class Orders {
  @WatchKey('/orders/:id/state')
  onOrder(): void {
    // Never called: only the decorators count.
  }

  @OnWatchError('/orders/:id/state')
  @OnWatchError()
  @OnWatchResync({ prefix: '/orders/' })
  onMatching(): void {
    // Never called: only the decorators count.
  }

  @OnWatchResync('/order/')
  onResync(): void {
    // Never called: only the decorators count.
  }

  @OnWatchError('/orders/')
  onError(): void {
    // Never called: only the decorators count.
  }
}

it('a method that no handler calls is named in a warning', async () => {
  const logger = new CollectingLogger();
  const imports = [EtcdTriggerTestingModule.forRoot({ logger })];
  const app = await Test.createTestingModule({ imports, providers: [Orders] }).compile();
  await app.init();
  await app.close();

  expect(logger.text.split('\n').filter((line) => line.includes('never called'))).toEqual([
    expect.stringContaining(
      '@OnWatchResync on Orders.onResync is never called: no @WatchKey has the target prefix "/order/"',
    ),
    expect.stringContaining(
      '@OnWatchError on Orders.onError is never called: no @WatchKey has the target prefix "/orders/"',
    ),
  ]);
});
