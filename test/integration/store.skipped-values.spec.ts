import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { IsBoolean } from 'class-validator';
import { BootError, type ConfigDefinition, StoreService } from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';

class Flag {
  @IsBoolean() enabled!: boolean;
}

const start = async (configs: readonly ConfigDefinition[], initial: Readonly<Record<string, object>>) => {
  const logger = new CollectingLogger();
  const module = await Test.createTestingModule({
    imports: [TerminusModule, EtcdTriggerTestingModule.forRoot({ configs, initial, logger })],
    providers: [EtcdTriggerHealthIndicator],
  }).compile();
  const app = await module.init();
  return {
    app,
    etcd: app.get(FakeCluster),
    store: app.get(StoreService),
    health: () => app.get(EtcdTriggerHealthIndicator).ready().etcd,
    linesAbout: (key: string) => logger.lines.map(({ text }) => text).filter((text) => text.includes(key)),
    [Symbol.asyncDispose]: () => app.close(),
  };
};

const VALID = { enabled: true };
const INVALID = { enabled: 'yes' };

describe('a value that is invalid at startup', () => {
  it('under a prefix stops nothing: its key has no value, is reported once, and heals with the next valid value', async () => {
    await using started = await start([{ prefix: '/flags/', type: Flag }], { '/flags/a': VALID, '/flags/b': INVALID });
    const { app, etcd, store } = started;

    expect(store.status).toBe('ready');
    expect([...store.entries('/flags/', Flag)]).toEqual([['/flags/a', VALID]]);
    expect(store.entry('/flags/b', Flag)).toMatchObject({
      state: 'invalid',
      value: undefined,
      violations: [{ path: 'enabled', constraints: ['isBoolean'] }],
    });
    expect(started.linesAbout('/flags/b')).toEqual([
      expect.stringContaining(
        '"/flags/b" at revision 2 is not valid: enabled [isBoolean]; skipped at startup: there is no good value',
      ),
      expect.stringMatching(
        /loaded 1 definition with 1 key at revision \d+ in \d+ ms; skipped 1 key with an invalid value: "\/flags\/b"/,
      ),
    ]);
    expect(started.health()).toMatchObject({
      status: 'up',
      state: 'degraded',
      clusters: { default: { reasons: ['the value of "/flags/b" in etcd is invalid'] } },
    });

    etcd.put('/flags/b', VALID);
    await settled(app);

    expect(store.get('/flags/b', Flag)).toEqual(VALID);
    expect(started.health()).toMatchObject({ status: 'up', state: 'up' });
  });

  it("of a key with onInvalid: 'skip' leaves the default", async () => {
    const definition = { key: '/flag', type: Flag, default: { enabled: false }, onInvalid: 'skip' as const };
    await using started = await start([definition], { '/flag': INVALID });

    expect(started.store.entry('/flag', Flag)).toMatchObject({
      state: 'invalid',
      value: { enabled: false },
      source: 'default',
    });
    expect(started.linesAbout('/flag')).toEqual([
      expect.stringContaining('skipped at startup: the default applies'),
      expect.stringContaining('skipped 1 key with an invalid value: "/flag"'),
    ]);
  });

  it("stops the start if it is of a key, under a prefix with onInvalid: 'fail', or no key of a required prefix is valid", async () => {
    const subjectsOf = async (definition: ConfigDefinition): Promise<unknown> => {
      const initial = { '/flags/a': INVALID, '/flags/b': VALID, '/required/a': INVALID };
      const failure: unknown = await start([definition], initial).catch((error: unknown) => error);
      return (
        failure instanceof BootError && failure.problems.map(({ subject, reason }) => `${reason} ${String(subject)}`)
      );
    };

    expect(await subjectsOf({ key: '/flags/a', type: Flag })).toEqual(['invalid /flags/a']);
    expect(await subjectsOf({ prefix: '/flags/', type: Flag, onInvalid: 'fail' })).toEqual(['invalid /flags/a']);
    expect(await subjectsOf({ prefix: '/required/', type: Flag, required: true })).toEqual(['invalid /required/a']);
  });

  it('does not stop a start from a required prefix with one valid key', async () => {
    const initial = { '/flags/a': INVALID, '/flags/b': VALID };
    await using started = await start([{ prefix: '/flags/', type: Flag, required: true }], initial);

    expect(started.store.status).toBe('ready');
  });
});
