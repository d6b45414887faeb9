import { Type } from 'class-transformer';
import { IsBoolean } from 'class-validator';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { startApp } from '../support/start-app.js';

class Flag {
  @Type(() => Boolean) @IsBoolean() on!: boolean;
}

it('the store warns once at startup of a property whose values are converted before validation', async () => {
  const logger = new CollectingLogger();
  const configs = [
    { key: '/flag', type: Flag },
    { prefix: '/flags/', type: Flag },
  ];
  const started = await startApp({ hosts: '', client: new FakeCluster(), configs, logger });
  await started.app.close();

  const warnings = logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);
  expect(warnings.filter((text) => text.includes('Flag.on has @Type(() => Boolean)'))).toHaveLength(1);
});
