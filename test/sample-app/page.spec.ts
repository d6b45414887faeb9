import { readdir, rm, stat } from 'node:fs/promises';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { findChromium, launch } from './chromium.js';
import { type RunningSample, start } from './running-sample.js';

const CHROMIUM = findChromium();

/** Pictures of every state, ignored by git. */
const PICTURES = 'test/sample-app/.screenshots';

/** Picture for the README. `npm run screenshots` writes it and sets the variable. */
const README_PICTURE = 'docs/images/sample-app.png';
const UPDATES_README_PICTURE = process.env.UPDATE_README_PICTURE === 'true';
const README_VIEWPORT = { width: 1_120, height: 912 };
const README_PICTURE_MAX_BYTES = 140_000;

const PASSWORD = 'never-to-be-seen-4711';

describe.runIf(CHROMIUM)('the page of the sample app', () => {
  let cluster: EtcdTestCluster;
  let otherClient: Etcd3;
  let sample: RunningSample;
  let browser: Browser;
  let page: Page;
  const pageErrors: string[] = [];

  beforeAll(async () => {
    await rm(PICTURES, { recursive: true, force: true });
    cluster = await EtcdTestCluster.start();
    otherClient = new Etcd3({ hosts: cluster.hosts });
    await otherClient
      .put('/app/config/database')
      .value(JSON.stringify({ host: 'db-1', port: 5_432, user: 'app', password: PASSWORD }));
    [sample, browser] = await Promise.all([
      start({ ETCD_HOSTS: cluster.hosts.join() }),
      launch(CHROMIUM ?? 'no browser'),
    ]);
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.on('pageerror', ({ message }) => pageErrors.push(message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) pageErrors.push(message.text());
    });
    await page.goto(sample.url);
    await shows('#app-connection', /^connected/);
  });
  afterEach(async () => {
    expect(await page.content()).not.toContain(PASSWORD);
    expect(pageErrors).toEqual([]);
    await page.close();
  });
  afterAll(async () => {
    await browser.close();
    sample[Symbol.dispose]();
    otherClient.close();
    await cluster.stop();
  });

  const shows = (selector: string, text: string | RegExp, on = page): Promise<unknown> =>
    eventually(async () => {
      expect(await on.locator(selector).first().innerText()).toMatch(text);
    });
  const write = async (name: string, document: object): Promise<unknown> =>
    otherClient.put(`/app/config/${name}`).value(JSON.stringify(document));
  const inEtcd = (name: string): Promise<unknown> => otherClient.get(`/app/config/${name}`).json();

  /** Moves the focus by keyboard only. */
  async function tabTo(id: string): Promise<void> {
    for (let steps = 0; steps < 30; steps += 1) {
      if ((await page.evaluate('document.activeElement.id')) === id) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${id} cannot be reached with Tab`);
  }
  async function enter(id: string, text: string): Promise<void> {
    await tabTo(id);
    await page.keyboard.press('Control+a');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  }

  it('shows the configuration and the state of the app, without the password', async () => {
    await shows('#connects-to', 'postgres://app@db-1:5432');
    expect(await page.locator('#database-host').inputValue()).toBe('db-1');
    expect(await page.locator('#database-password').inputValue()).toBe('');
    await shows('[data-name=database] .badge', 'valid');
    await shows('#handler-rows', /EventHandlers\.onEvent\s+prefix "\/app\/events\/"\s+following/);
    await shows('#activity', 'password: ***');

    await otherClient.put('/app/events/order-1').value('{"total":3}');
    await shows('#activity li.new', /\/app\/events\/order-1 written.*\{"total":3\}/s);
    await shows('#handler-rows', /following\s+\d+\s+1\s+0\s+0/);
  });

  it('saves a value that was edited by keyboard only: etcd, its consumers and all open pages have it', async () => {
    const other = await browser.newPage();
    await other.goto(sample.url);
    await enter('database-host', 'db-2');

    await shows('[data-name=database] output', 'Saved as revision');
    await shows('#connects-to', 'postgres://app@db-2:5432');
    await shows('#announcement', '/app/config/database written. host: "db-1" → "db-2"');
    await shows('#connects-to', 'postgres://app@db-2:5432', other);
    expect(await other.locator('#database-host').inputValue()).toBe('db-2');
    expect(await inEtcd('database')).toMatchObject({ host: 'db-2', password: PASSWORD });
    await other.close();
  });

  it('rejects an invalid value at its property and keeps the last valid one', async () => {
    const before = await inEtcd('redis');
    await enter('redis-port', 'none');

    await shows('#redis-port-error', 'must be a whole number');
    await shows('[data-name=redis] output', 'Not saved');
    expect(await page.evaluate('document.activeElement.id')).toBe('redis-port');
    expect(await page.locator('#redis-port').getAttribute('aria-invalid')).toBe('true');
    await shows('#redis-port-hint', 'current value: 6379');
    expect(await inEtcd('redis')).toEqual(before);
    await takePictures('rejected');

    await enter('redis-port', '6380');
    await shows('[data-name=redis] output', 'Saved as revision');
    expect(await page.locator('#redis-port-error').isVisible()).toBe(false);
    expect(await inEtcd('redis')).toMatchObject({ port: 6_380 });
    if (UPDATES_README_PICTURE) await takeReadmePicture();
  });

  it('shows a change by another client next to the edited value, and does not overwrite it silently', async () => {
    await tabTo('redis-port');
    await page.keyboard.type('1');
    await write('redis', { host: 'cache-9', port: 7_000 });

    await eventually(async () => {
      expect(await page.locator('#redis-host').inputValue()).toBe('cache-9');
    });
    expect(await page.locator('#redis-port').inputValue()).toContain('1');
    await shows('#redis-port-hint', 'current value: 7000');

    await enter('redis-port', '7001');
    await shows('[data-name=redis] output', 'The value has changed in the meantime');
    expect(await inEtcd('redis')).toEqual({ host: 'cache-9', port: 7_000 });
    await page.keyboard.press('Enter');
    await shows('[data-name=redis] output', 'Saved as revision');
    expect(await inEtcd('redis')).toEqual({ host: 'cache-9', port: 7_001 });
  });

  it('shows an invalid value that another client wrote, and the revision that stays in use', async () => {
    await write('redis', { host: 'cache-9', port: 'none' });

    await shows('[data-name=redis] .badge', 'invalid');
    await shows(
      '[data-name=redis] .status',
      /Revision \d+ was rejected because of port \(.*\)\. Revision \d+ stays in use\./,
    );
    expect(await page.locator('#redis-port').inputValue()).toBe('7001');

    await enter('redis-port', '7002');
    await shows('[data-name=redis] .badge', 'valid');
    await takePictures('page');
  });

  it('shows who leads, the cron job, the instances, and a lock while it is held or waited for', async () => {
    await otherClient.put('/app/events/order-2').value('{"total":4}');
    await shows('#leader', /^This instance leads \(token \d+\)\.$/);
    await shows('#totals', '2 orders, total 7');
    await shows('#cron-rows', /report\s+owner\s+sample-app-\d+\s+\d+:\d+/);
    using second = await start({ ETCD_HOSTS: cluster.hosts.join() });
    const port = new URL(second.url).port;
    await shows('#instance-rows tr >> nth=1', /sample-app-\d+/);
    expect(await page.locator('#instance-rows').innerText()).toMatch(new RegExp(`sample-app-${port}\\s+http`));
    expect(await page.locator('#instance-rows .badge').allInnerTexts()).toEqual(['leader']);

    await page.locator('#stocktaking').click();
    await shows('#lock-rows', /stocktaking\s+held\s+\d+/);
    const other = await browser.newPage();
    await other.goto(second.url);
    await shows('#leader', /^sample-app-\d+ leads/, other);
    await other.locator('#stocktaking').click();
    await shows('#lock-rows', /stocktaking\s+waiting/, other);
    await takePictures('pods');
    await shows('#stocktaking-result', /has counted 2 orders/);
    await shows('#lock-rows', /stocktaking\s+held/, other);
    await shows('#stocktaking-result', new RegExp(`sample-app-${port} has counted 2 orders`), other);
    await other.close();
    second.child.kill('SIGTERM');
    await second.ended;
    await eventually(async () => (await page.locator('#instance-rows tr').count()) === 1);
  });

  it('reports that the app has lost etcd, and shows missed changes when etcd is back', async () => {
    await cluster.first.kill();
    await shows('#etcd-connection', 'not connected');
    await shows('#notice', 'The app has lost its connection to etcd');
    await shows('#target-rows', 'interrupted');
    await takePictures('without-etcd');

    await cluster.first.start();
    await write('database', { host: 'db-3', port: 5_432, user: 'app', password: PASSWORD });
    await shows('#connects-to', 'postgres://app@db-3:5432');
    await shows('#etcd-connection', /^connected/);
    expect(await page.locator('#notice').isVisible()).toBe(false);
  });

  it('reports that it has lost the app, and reconnects when the app is back', async () => {
    sample[Symbol.dispose]();
    await shows('#app-connection', 'not connected');
    await shows('#etcd-connection', 'unknown');
    await shows('#notice', 'This page has lost its connection to the app');
    await takePictures('without-app');

    sample = await start({ ETCD_HOSTS: cluster.hosts.join(), PORT: new URL(sample.url).port });
    await shows('#app-connection', /^connected/);
    await shows('#connects-to', 'postgres://app@db-3:5432');
    expect(await page.locator('#notice').isVisible()).toBe(false);
  });

  it('takes each picture in light and dark', async () => {
    const names = ['page', 'pods', 'rejected', 'without-app', 'without-etcd'];
    const files = names.flatMap((name) => [`${name}-dark.png`, `${name}-light.png`]);

    expect((await readdir(PICTURES)).sort()).toEqual(files);
    for (const file of files) expect((await stat(`${PICTURES}/${file}`)).size).toBeGreaterThan(10_000);
  });

  it('has a picture for the README that is small enough to be committed', async () => {
    const { size } = await stat(README_PICTURE);

    expect(size).toBeGreaterThan(10_000);
    expect(size).toBeLessThan(README_PICTURE_MAX_BYTES);
  });

  async function takePictures(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${PICTURES}/${name}-${colorScheme}.png`, fullPage: true, animations: 'disabled' });
    }
  }

  async function takeReadmePicture(): Promise<void> {
    const viewport = page.viewportSize();
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(README_VIEWPORT);
    await page.screenshot({ path: README_PICTURE, animations: 'disabled' });
    if (viewport) await page.setViewportSize(viewport);
  }
});
