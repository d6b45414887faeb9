import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import { type BootError, StoreService } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';

class Endpoint {
  @IsString() host!: string;
  @IsInt() port!: number;
}

/** 1.49 MB: one long name over many numbers that are not finite. */
const HOSTILE = `{"host":"a","port":1,"${'x'.repeat(1_487_000)}":[${'1e999,'.repeat(389)}1e999]}`;

const start = (initial: Record<string, string>, policy: 'fail-fast' | 'degraded' = 'fail-fast') => {
  const logger = new CollectingLogger();
  const module = Test.createTestingModule({
    imports: [
      EtcdTriggerTestingModule.forRoot({
        configs: [{ key: '/app', type: Endpoint, required: true }],
        initial,
        boot: { policy },
        logger,
      }),
    ],
  });
  return { logger, module };
};

describe('a document that is made for a huge diagnosis', () => {
  it('is rejected with one short line, and the next value is visible', async () => {
    const { logger, module } = start({ '/app': '{"host":"a","port":1}' });
    await using app = { app: await (await module.compile()).init(), [Symbol.asyncDispose]: () => app.app.close() };
    const etcd = app.app.get(FakeCluster);
    const store = app.app.get(StoreService);

    etcd.put('/app', HOSTILE);
    await settled(app.app);
    expect(store.entry('/app', Endpoint)).toMatchObject({ state: 'invalid', value: { port: 1 } });
    expect(logger.text.length).toBeLessThan(2_000);
    etcd.put('/app', '{"host":"b","port":2}');
    await settled(app.app);

    expect(store.get('/app', Endpoint)).toEqual({ host: 'b', port: 2 });
    expect(store.status).toBe('ready');
  });

  it('is a BootError with its key at startup, and degrades a start that may', async () => {
    const failed = (await start({ '/app': HOSTILE })
      .module.compile()
      .catch((error: unknown) => error)) as BootError;

    expect(failed.problems).toMatchObject([{ subject: '/app', reason: 'invalid' }]);
    expect(failed.message.length).toBeLessThan(2_000);

    const degraded = await start({ '/app': HOSTILE }, 'degraded').module.compile();
    expect(degraded.get(StoreService).status).toBe('degraded');
    await degraded.close();
  });
});
