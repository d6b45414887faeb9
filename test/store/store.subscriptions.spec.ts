import { Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import { IsInt } from 'class-validator';
import { type ConfigRef, InjectConfig } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { startApp } from '../support/start-app.js';

class Limit {
  @IsInt() n!: number;
}
@Injectable({ scope: Scope.REQUEST })
class Report {
  constructor(@InjectConfig(Limit) limit: ConfigRef<Limit | undefined>) {
    limit.changes$.subscribe(() => undefined);
  }
}

it('subscriptions of request-scoped providers that are never closed cause one warning with their place', async () => {
  const logger = new CollectingLogger();
  const configs = [{ key: '/limit', type: Limit }];
  await using started = await startApp(
    { hosts: '', client: new FakeCluster(), configs, logger },
    { providers: [Report] },
  );
  const warnings = (): string[] => logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);

  for (let request = 0; request < 999; request += 1) await started.app.resolve(Report, ContextIdFactory.create());
  expect(warnings()).toEqual([]);
  for (let request = 0; request < 500; request += 1) await started.app.resolve(Report, ContextIdFactory.create());
  expect(warnings()).toEqual([
    expect.stringMatching(
      /^1000 subscriptions to the configuration are open, the last one by new Report \(.*store\.subscriptions\.spec\.ts:\d+:\d+\): close each/,
    ),
  ]);
});
