import { mkdir, rm, stat } from 'node:fs/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, launch } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { type RunningSample, start } from './running-sample.js';

const CHROMIUM = findChromium();

/** Pictures of every view, ignored by git. */
const PICTURES = 'test/sample-app/.screenshots';

/** Pictures for the documents. `npm run screenshots` writes them and sets the variable. */
const DOCUMENT_PICTURES = { configuration: 'docs/images/sample-app.png', live: 'docs/images/console-live.png' };
const UPDATES_DOCUMENT_PICTURES = process.env.UPDATE_README_PICTURE === 'true';
const VIEWPORT = { width: 1_280, height: 800 };
const MAX_BYTES = 140_000;

describe.runIf(CHROMIUM)('the console of the sample app', () => {
  let cluster: EtcdTestCluster;
  let sample: RunningSample;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    await rm(PICTURES, { recursive: true, force: true });
    await mkdir(PICTURES, { recursive: true });
    cluster = await EtcdTestCluster.start();
    [sample, browser] = await Promise.all([
      start({ ETCD_HOSTS: cluster.hosts.join() }),
      launch(CHROMIUM ?? 'no browser'),
    ]);
    page = await browser.newPage({ viewport: VIEWPORT });
  });
  afterAll(async () => {
    await browser.close();
    sample[Symbol.dispose]();
    await cluster.stop();
  });

  const shows = (selector: string, text: string | RegExp): Promise<unknown> =>
    eventually(async () => {
      expect(await page.locator(selector).first().innerText()).toMatch(text);
    });

  async function takePictures(name: keyof typeof DOCUMENT_PICTURES): Promise<void> {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${PICTURES}/${name}-${colorScheme}.png`, fullPage: true, animations: 'disabled' });
    }
    if (UPDATES_DOCUMENT_PICTURES) await page.screenshot({ path: DOCUMENT_PICTURES[name], animations: 'disabled' });
  }

  it('edits the configuration that the application uses', async () => {
    await page.goto(`${sample.url}/#/configuration?key=%2Fapp%2Fconfig%2Fdatabase`);
    await page.locator(".field[data-path='host'] input").fill('db-2');
    await page.locator('#save').click();

    await shows('[role=status].good-message', 'Saved as revision');
    await eventually(async () => (await (await fetch(`${sample.url}/config`)).text()).includes('postgres://app@db-2'));
    expect(await page.content()).not.toContain('example');
    await takePictures('configuration');
  });

  it('shows who leads, the cron job, the group that bills the orders, and the instances', async () => {
    await page.goto(`${sample.url}/#/live`);
    for (const name of ['order-1', 'order-2', 'order-3']) {
      await fetch(`${sample.url}/events/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ total: 3 }),
      });
    }

    await shows("section:has(h2:text-is('Groups'))", /billing.*0\s+following\s+sample-app-\d+/s);
    await shows("section:has(h2:text-is('Elections')) tbody", /order-totals\s+leader\s+sample-app-\d+/);
    await shows("section:has(h2:text-is('Cron jobs')) tbody", 'report');
    await shows("section:has(h2:text-is('Services')) tbody", /sample-app\s+1\s+1/);
    await shows('.stream', /\/app\/bills\/order-3\s+put/);
    await takePictures('live');
  });

  it.each(Object.values(DOCUMENT_PICTURES))('has %s, which is small enough to be committed', async (file) => {
    const { size } = await stat(file);

    expect(size).toBeGreaterThan(10_000);
    expect(size).toBeLessThan(MAX_BYTES);
  });
});
