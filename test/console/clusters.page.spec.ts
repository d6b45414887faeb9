import { IsIn, IsString, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { EtcdTriggerModule, Secret } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';
import { ConsoleInBrowser, shows } from './page-browser.js';
import { INITIAL, PASSWORD } from './page-fixture.js';
import { CREDENTIALS, DATABASE } from './page.configs.js';

const CHROMIUM = findChromium();
const MAIL = '/mail';
const BASE = '/mail-base';

class TokenAuth {
  @IsIn(['token']) kind!: string;
  @Secret() @IsString() value!: string;
}

class OpenAuth {
  @IsIn(['open']) kind!: string;
  @IsString() value!: string;
}

class Mail {
  @IsString() host!: string;
  @ValidateNested()
  @Type(() => OpenAuth, {
    keepDiscriminatorProperty: true,
    discriminator: {
      property: 'kind',
      subTypes: [
        { name: 'token', value: TokenAuth },
        { name: 'open', value: OpenAuth },
      ],
    },
  })
  auth!: TokenAuth | OpenAuth;
}

describe.runIf(CHROMIUM)('the console of an application with two clusters', () => {
  const other = new FakeCluster({
    [BASE]: { host: 'mail-1', auth: { kind: 'token', value: PASSWORD } },
    [MAIL]: { auth: { kind: 'open' } },
  });
  let console: ConsoleInBrowser;

  beforeAll(async () => {
    const configs = [{ key: MAIL, type: Mail, layers: [BASE, MAIL] }];
    const cluster = EtcdTriggerModule.forRoot({ cluster: 'mail', client: other, configs, logger: quiet });
    console = await ConsoleInBrowser.start(CHROMIUM, { imports: [cluster] });
  });
  afterEach(() => console.check());
  afterAll(() => console.close());

  const inputOf = (page: Page, path: string) => page.locator(`.field[data-path='${path}'] input`);
  const save = (page: Page) => page.locator('#save').click();

  it('edits a layer of the chosen cluster, and never shows the secret of another class', async () => {
    const page = await console.open();
    await shows(page, '.key-row .key', CREDENTIALS);
    await page.locator('#cluster').selectOption('mail');
    await shows(page, '.key-row .key', MAIL);
    await page.locator('.key-row').first().click();
    await page.locator('.entry-header').waitFor();
    expect(await page.locator('.text textarea').inputValue()).toMatch(/"kind": "open"[^]*"value": "\*\*\*"/);
    expect(await inputOf(page, 'host').isDisabled()).toBe(true);

    await page.getByRole('link', { name: BASE }).click();
    await eventually(async () => {
      expect(await inputOf(page, 'host').isDisabled()).toBe(false);
    });
    await inputOf(page, 'host').fill('mail-2');
    await save(page);

    await shows(page, '[role=status].good-message', 'Saved');
    expect(other.json(BASE)).toEqual({ host: 'mail-2', auth: { kind: 'token', value: PASSWORD } });
    expect(console.etcd.get(BASE)).toBeUndefined();
    await page.getByRole('link', { name: 'History' }).click();
    await shows(page, '.revisions tbody', /host\s+"mail-1"\s+"mail-2"/);
  });

  it('keeps an edit while etcd is lost, and saves it when etcd is back', async () => {
    const page = await console.openKey(DATABASE);
    await inputOf(page, 'port').fill('6001');
    console.etcd.disconnect();
    await save(page);
    await shows(page, '#notice', 'The application has lost its connection to etcd');
    await shows(page, '.pane .error:visible', /^Not saved: .* is disconnected$/);
    expect(await inputOf(page, 'port').inputValue()).toBe('6001');
    expect(console.etcd.json(DATABASE)).toEqual(INITIAL[DATABASE]);

    console.etcd.reconnect();
    await shows(page, '#etcd-status', /^connected/);
    await save(page);
    await shows(page, '[role=status].good-message', 'Saved');
    expect(console.etcd.json(DATABASE)).toEqual({ ...INITIAL[DATABASE], port: 6_001 });
  });

  it('shows hostile authors and reasons as text', async () => {
    const hostile = '<img src=x onerror="window.hacked=1">\u202e';
    const { host, ...others } = INITIAL[DATABASE];
    await console.store.put(DATABASE, { ...others, host: `${host}-x` }, { author: hostile, reason: hostile });
    const page = await console.open(`configuration?key=${encodeURIComponent(DATABASE)}&tab=history`);

    await shows(page, '.revisions .audit', /^<img src=x .*“<img src=x /);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
  });

  it('plots the latency of the handlers', async () => {
    const page = await console.open('live');
    const plot = page.locator('.plot', { hasText: 'Handler latency' }).locator('polyline');
    let order = 0;
    await eventually(async () => {
      console.etcd.put(`/orders/${(order += 1)}`, 'an order');
      const points = (await plot.getAttribute('points')) ?? '';
      // Without a call, all points are on the axis.
      expect(new Set(points.split(' ').map((point) => point.split(',')[1])).size).toBeGreaterThan(1);
    });
  });
});
