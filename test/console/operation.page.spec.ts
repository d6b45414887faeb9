import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { ConsoleInBrowser, shows } from './page-browser.js';
import { INITIAL, UNPAID } from './page-fixture.js';
import { DATABASE, TENANTS } from './page.configs.js';

const CHROMIUM = findChromium();
const KEY = encodeURIComponent(DATABASE);

describe.runIf(CHROMIUM)('the page of the console', () => {
  let console: ConsoleInBrowser;

  beforeAll(async () => {
    console = await ConsoleInBrowser.start(CHROMIUM);
  });
  afterEach(() => console.check());
  afterAll(() => console.close());

  const focusedId = (page: Page) => page.evaluate<string>('document.activeElement.id');

  it('shows changes, handlers, groups and elections, and pauses a handler', async () => {
    const page = await console.open('live');
    const handler = page.locator("section:has(h2:text-is('Handlers')) tr", { hasText: 'Orders.onOrder' });
    await shows(page, "section:has(h2:text-is('Elections')) tbody", /totals\s+leader\s+shop-1/);
    await shows(page, "section:has(h2:text-is('Groups')) tbody", /0\s+following\s+shop-1/);
    console.etcd.put('/orders/1', 'an order');
    console.etcd.put(DATABASE, { ...INITIAL[DATABASE], port: 5_433 });
    await shows(page, '.stream', /\/shop\/database\s+put\s+revision \d+, live\s+port/);

    await handler.getByRole('button').click();
    await eventually(async () => (await handler.innerText()).includes('paused'));
    await handler.getByRole('button', { name: 'Resume' }).click();
    await eventually(async () => (await handler.innerText()).includes('following'));
    await eventually(async () => (await page.locator('.plot polyline').first().getAttribute('points')) !== '');
  });

  it('shows parked events as text, and redrives them after one confirmation', async () => {
    const page = await console.open('live');
    const key = '/orders/<img src=x onerror=alert(1)>';
    UNPAID.add(key);
    console.etcd.put(key, 'an order');
    const groups = page.locator("section:has(h2:text-is('Groups'))");
    await groups.getByRole('button', { name: 'Show parked events' }).click();
    await shows(page, 'dialog[open] tbody', /<img src=x onerror=alert\(1\)>\s+put\s+\d+\s+1\s+Error\s/);
    await page.getByRole('button', { name: 'Close' }).click();

    UNPAID.clear();
    await groups.getByRole('button', { name: 'Redrive', exact: true }).click();
    await page.locator('dialog[open]').getByRole('button', { name: 'Redrive' }).click();
    await eventually(async () => (await groups.innerText()).includes('1 event is handled again.'));
    await eventually(async () => (await groups.innerText()).includes('0 parked events'));
  });

  it('is operated by keyboard', async () => {
    const page = await console.open('configuration');
    await page.locator('.key-row .key').first().waitFor();
    await page.keyboard.press('/');
    expect(await focusedId(page)).toBe('search');
    await page.keyboard.type('DATABASE');
    await shows(page, '.count', /^1 key$/);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await shows(page, '#entry-title', DATABASE);
    await eventually(async () => (await focusedId(page)) === 'entry-title');

    await page.keyboard.press('Escape');
    await shows(page, '.pane h2', 'Definitions');
    expect(new URL(page.url()).hash).toBe('#/configuration?search=DATABASE');
  });

  it('shows a linked key and filter again after it was reloaded', async () => {
    const page = await console.open(`configuration?search=shop&key=${KEY}&tab=history`);
    await page.locator('.revisions h3').first().waitFor();
    await page.reload();

    await page.locator('.revisions h3').first().waitFor();
    expect(await page.locator('#search').inputValue()).toBe('shop');
    await shows(page, '.count', /^2 keys$/);
    await page.goBack();
  });

  it('has only the visible rows of 100,000 keys in its document', async () => {
    const etcd = new FakeCluster(INITIAL);
    for (let first = 0; first < 100_000; first += 100) {
      const keys = Array.from({ length: 100 }, (_, index) => `${TENANTS}${String(first + index).padStart(6, '0')}`);
      etcd.putAll(Object.fromEntries(keys.map((key) => [key, { name: 'Tenant', limit: 1 }])));
    }
    const large = await ConsoleInBrowser.start(CHROMIUM, { etcd });
    const page = await large.open(`configuration?definition=${encodeURIComponent(TENANTS)}`);
    await shows(page, '.count', '100,000 keys');
    const list = page.getByRole('listbox');
    for (const [part, key] of [
      [1, '099999'],
      [0.5, '05000'],
      [0, '000000'],
    ] as const) {
      await list.evaluate((element, to) => {
        const scrolled = element as unknown as { scrollTop: number; scrollHeight: number };
        scrolled.scrollTop = scrolled.scrollHeight * to;
      }, part);
      await eventually(async () => (await list.innerText()).includes(`${TENANTS}${key}`));
      expect(await page.getByRole('option').count()).toBeLessThan(60);
    }
    await page.locator('#search').fill('4321');
    await shows(page, '.key-row .key', `${TENANTS}004321`);
    await page.locator('.key-row').first().click();
    await shows(page, '#entry-title', `${TENANTS}004321`);
    await large.check();
    await large.close();
  });

  it('says that the application is lost, disables writes, and goes on when it is back', async () => {
    const page = await console.openKey(DATABASE);
    const port = page.locator(".field[data-path='port'] input");
    await port.fill('6001');
    await console.stop();
    await shows(page, '#notice', /^The connection to the application is lost since .*cannot write/);
    expect(await page.locator('#save').isDisabled()).toBe(true);
    expect(await port.isDisabled()).toBe(true);

    console.etcd.put(DATABASE, { ...INITIAL[DATABASE], host: 'db-9' });
    await console.restart();
    await shows(page, '#application-status', /^connected/);
    expect(await page.locator('#notice').isVisible()).toBe(false);
    await shows(page, '.pane .notice:visible', 'Somebody else has written revision');
    expect(await port.inputValue()).toBe('6001');
  });

  it('says that the application has lost etcd', async () => {
    const page = await console.open();
    console.etcd.disconnect();
    await shows(page, '#notice', 'The application has lost its connection to etcd');
    await shows(page, '#etcd-status', 'not connected');
    console.etcd.reconnect();
    await shows(page, '#etcd-status', /^connected/);
  });

  it('offers nothing that writes when it is read-only', async () => {
    const readOnly = await ConsoleInBrowser.start(CHROMIUM, { write: false });
    const page = await readOnly.openKey(DATABASE);
    await shows(page, '#instance', 'The console is read-only.');
    expect(await page.locator(".field[data-path='port'] input").isDisabled()).toBe(true);
    const names = ['Save', 'Delete key', 'Discard changes', 'Roll back to this revision', 'Pause Orders.onOrder'];
    const offered = async () => {
      for (const name of names) expect(await page.getByRole('button', { name }).count()).toBe(0);
    };
    await offered();
    await page.getByRole('link', { name: 'History' }).click();
    await page.locator('.revisions h3').first().waitFor();
    await offered();
    await page.getByRole('link', { name: 'Live' }).click();
    await shows(page, "section:has(h2:text-is('Handlers')) tbody", 'Orders.onOrder');
    await offered();
    await readOnly.check();
    await readOnly.close();
  });

  it('works on Fastify', async () => {
    const fastify = await ConsoleInBrowser.start(CHROMIUM, { adapter: 'fastify' });
    const page = await fastify.openKey(DATABASE);
    await page.locator(".field[data-path='host'] input").fill('db-3');
    await page.locator('#save').click();
    await shows(page, '[role=status].good-message', 'Saved');
    expect(fastify.etcd.json(DATABASE)).toMatchObject({ host: 'db-3' });
    await fastify.check();
    await fastify.close();
  });

  it.each([
    ['light', 1_280],
    ['dark', 360],
  ] as const)('has no problem that axe finds, in %s and at %i px', async (colorScheme, width) => {
    const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const page = await console.open();
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(axe);
    for (const view of ['configuration', `configuration?key=${KEY}`, `configuration?key=${KEY}&tab=history`, 'live']) {
      await page.goto(`${console.url}#/${view}`);
      await page.locator('.pane h2, .revisions h3, .plot').first().waitFor();
      const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
        'axe.run()',
      );

      expect(violations.map(({ id, nodes }) => ({ view, id, html: nodes[0]?.html }))).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
  });
});
