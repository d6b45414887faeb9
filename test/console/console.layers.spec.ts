import { EtcdTriggerInspector, StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ConsoleApp } from './console-app.js';
import { CANARY } from './console.configs.js';
import { LAYERED, LAYERS, Mailer, MAILER, MAILER_BASE, Webhook, WEBHOOK, WEBHOOK_BASE } from './layered.configs.js';

let started: ConsoleApp | undefined;

const start = async (layers: Record<string, object> = LAYERS): Promise<ConsoleApp> =>
  (started = await ConsoleApp.start({ etcd: new FakeCluster(layers), definitions: LAYERED, audit: true }));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

const PLACES = [
  [MAILER, ''],
  [MAILER, MAILER_BASE],
  [MAILER, MAILER],
  [WEBHOOK, ''],
  [WEBHOOK, WEBHOOK_BASE],
  [WEBHOOK, WEBHOOK],
] as const;

describe('a secret of a lower layer', () => {
  it('stays masked where a higher layer chooses a class without it', async () => {
    const app = await start();
    const answers: string[] = [];

    for (const [key, layer] of PLACES) {
      answers.push((await app.get('entry', { key, layer })).text);
      answers.push((await app.get('history', { key, layer })).text);
      answers.push((await app.send('PUT', 'entry', { key, layer, document: {}, ifRevision: 7_777 })).text);
    }

    expect(await app.entry(MAILER)).toMatchObject({
      state: 'valid',
      document: { host: 'mail-1', auth: { kind: 'open', value: '***', login: { user: 'ada', pin: '***' } } },
      secrets: ['auth.value', 'auth.login.pin', 'relays[0].value'],
    });
    expect(await app.entry(WEBHOOK)).toMatchObject({ state: 'valid', document: { mode: 'open', target: '***' } });
    expect(answers.filter((answer) => answer.includes(CANARY))).toEqual([]);
  });

  it('stays masked in the views of the application', async () => {
    const app = await start();
    const store = app.app.get(StoreService, { strict: false });
    const mailer = store.getOrThrow(MAILER, Mailer);
    const webhook = store.getOrThrow(WEBHOOK, Webhook);

    const effective = app.app.get(EtcdTriggerInspector, { strict: false }).effective();
    const shown = [JSON.stringify([effective, mailer, webhook]), inspect([mailer, webhook], { depth: 9 })];

    expect(shown.filter((text) => text.includes(CANARY))).toEqual([]);
    expect(mailer.auth).toMatchObject({ value: `${CANARY}-value`, login: { user: 'ada', pin: `${CANARY}-pin` } });
  });

  it('is kept by a write that has its mask', async () => {
    const app = await start();
    const { document, headRevision } = await app.entry(MAILER, MAILER_BASE);
    const changed = { ...(document as object), host: 'mail-2' };

    const { status } = await app.send('PUT', 'entry', {
      key: MAILER,
      layer: MAILER_BASE,
      document: changed,
      ifRevision: headRevision,
    });

    expect(status).toBe(200);
    expect(app.etcd.json(MAILER_BASE)).toEqual({ ...LAYERS[MAILER_BASE], host: 'mail-2' });
  });

  it('is masked in a layer whose own class has no such secret', async () => {
    const app = await start({
      [MAILER_BASE]: { host: 'mail-1', auth: { kind: 'open', value: CANARY } },
      [MAILER]: { auth: { kind: 'token' } },
    });

    expect(await app.entry(MAILER, MAILER_BASE)).toMatchObject({ document: { auth: { kind: 'open', value: '***' } } });
  });
});
