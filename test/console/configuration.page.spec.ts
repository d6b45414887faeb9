import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { ConsoleInBrowser, shows } from './page-browser.js';
import { INITIAL, PASSWORD } from './page-fixture.js';
import { CREDENTIALS, DATABASE, REGIONS, TENANTS } from './page.configs.js';

const CHROMIUM = findChromium();

describe.runIf(CHROMIUM)('the configuration view of the console', () => {
  let console: ConsoleInBrowser;

  beforeAll(async () => {
    console = await ConsoleInBrowser.start(CHROMIUM);
  });
  afterEach(async () => {
    await console.check();
    console.etcd.putAll(INITIAL);
  });
  afterAll(() => console.close());

  const field = (page: Page, path: string) => page.locator(`.field[data-path='${path}']`);
  const inputOf = (page: Page, path: string) => field(page, path).locator('input, select, textarea');
  const text = (page: Page) => page.locator('.text textarea');
  const save = (page: Page) => page.locator('#save').click();
  const inEtcd = (key = DATABASE) => console.etcd.json(key);
  const writeElsewhere = (changes: object) => {
    console.etcd.put(DATABASE, { ...INITIAL[DATABASE], ...changes });
  };

  it('writes what was edited in the form, and keeps the secrets that it does not know', async () => {
    const page = await console.openKey(DATABASE);
    expect(await field(page, 'port').innerText()).toContain('whole number, 1 to 65535');
    expect(await inputOf(page, 'password').inputValue()).toBe('***');

    await inputOf(page, 'port').fill('6000');
    await inputOf(page, 'level').selectOption('warn');
    await inputOf(page, 'tls').selectOption('true');
    await inputOf(page, 'pool.max').fill('30');
    await page.getByRole('button', { name: 'Add item' }).last().click();
    await page.keyboard.type('standby');
    await page.getByLabel('Move up item 3').last().click();
    expect(JSON.parse(await text(page).inputValue())).toMatchObject({
      port: 6_000,
      tags: ['eu', 'standby', 'primary'],
    });
    await save(page);

    await shows(page, '[role=status].good-message', /^Saved as revision \d+\.$/);
    expect(inEtcd()).toEqual({
      ...INITIAL[DATABASE],
      port: 6_000,
      level: 'warn',
      tls: true,
      pool: { max: 30 },
      tags: ['eu', 'standby', 'primary'],
    });
  });

  it('shows at its property what the application rejects, before and after it is sent', async () => {
    const page = await console.openKey(DATABASE);
    await inputOf(page, 'pool.max').fill('many');
    await shows(page, ".field[data-path='pool.max'] .error", /whole number/);
    expect(await inputOf(page, 'pool.max').getAttribute('aria-invalid')).toBe('true');

    await save(page);
    await shows(page, '.save-bar output', 'Not saved: the document is invalid.');
    expect(inEtcd()).toEqual(INITIAL[DATABASE]);
    await inputOf(page, 'pool.max').fill('7');
    await eventually(() => field(page, 'pool.max').locator('.error').isHidden());
  });

  it('shows one document in the form and in the text, and refuses a text that cannot be parsed', async () => {
    const page = await console.openKey(DATABASE);
    await text(page).fill((await text(page).inputValue()).replace('"db-1"', '"db-7"'));
    expect(await inputOf(page, 'host').inputValue()).toBe('db-7');

    await text(page).fill('{');
    await shows(page, '.text .error', 'The text is not JSON.');
    expect(await page.locator('#save').isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Discard changes' }).click();
    expect(await inputOf(page, 'host').inputValue()).toBe('db-1');
  });

  it('edits YAML in the form and as text', async () => {
    console.etcd.put(`${REGIONS}eu`, 'name: Europe\nlimit: 3\n');
    const page = await console.openKey(`${REGIONS}eu`);
    await inputOf(page, 'limit').fill('4');
    await eventually(async () => (await text(page).inputValue()) === 'name: Europe\nlimit: 4\n');
    await text(page).fill('name: Europe\nlimit: 5\n');
    await eventually(async () => (await inputOf(page, 'limit').inputValue()) === '5');
    await save(page);

    await shows(page, '[role=status].good-message', 'Saved');
    expect(console.etcd.text(`${REGIONS}eu`)).toBe('name: Europe\nlimit: 5\n');
  });

  it('shows the change of somebody else as a three-way difference, and saves what the user chooses', async () => {
    const page = await console.openKey(DATABASE);
    await inputOf(page, 'port').fill('6000');
    await inputOf(page, 'level').selectOption('warn');
    writeElsewhere({ port: 7_000, host: 'db-2' });
    await shows(page, '.pane .notice:visible', 'Somebody else has written revision');
    await save(page);

    const rows = page.locator('.differences tbody tr');
    await rows.first().waitFor();
    expect(await rows.locator('th bdi').allInnerTexts()).toEqual(['host', 'port', 'level']);
    expect(await page.getByLabel('theirs of host').isChecked()).toBe(true);
    expect(await page.getByLabel('yours of level').isChecked()).toBe(true);
    expect(await page.getByText('Save this version').isDisabled()).toBe(true);
    expect(inEtcd()).toMatchObject({ port: 7_000, level: 'info' });
    await page.getByLabel('yours of port').check();
    await page.getByText('Save this version').click();

    await shows(page, '[role=status].good-message', 'Saved');
    expect(inEtcd()).toEqual({ ...INITIAL[DATABASE], host: 'db-2', port: 6_000, level: 'warn' });
  });

  it('rolls back to a revision of the history after one confirmation', async () => {
    writeElsewhere({ host: 'broken' });
    const page = await console.open(`configuration?key=${encodeURIComponent(DATABASE)}&tab=history`);
    const newest = page.locator('.revisions > li').first();
    await newest.waitFor();
    expect(await newest.locator('tbody').innerText()).toMatch(/host\s+"db-1"\s+"broken"/);

    await page.getByRole('button', { name: 'Roll back to this revision' }).first().click();
    await page.getByLabel('Reason (optional)').fill('the host was wrong');
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
    await shows(page, '[role=status].good-message', /^Rolled back to revision \d+, as revision \d+\.$/);
    await shows(page, '.revisions .audit', /^alice · .* · “the host was wrong”$/);
    expect(inEtcd()).toEqual(INITIAL[DATABASE]);
  });

  it('sets a new secret, which is in etcd and nowhere in the document of the page', async () => {
    const page = await console.openKey(DATABASE);
    await field(page, 'password').getByRole('button', { name: 'Set a new value' }).click();
    await page.keyboard.type(`${PASSWORD}-new`);
    expect(await text(page).inputValue()).toContain('"password": "***"');
    await save(page);
    await shows(page, '[role=status].good-message', 'Saved');
    expect(inEtcd()).toMatchObject({ password: `${PASSWORD}-new`, host: 'db-1' });

    const credentials = await console.openKey(CREDENTIALS);
    expect(await inputOf(credentials, 'user').inputValue()).toBe('***');
    expect(await inputOf(credentials, 'apiKey').inputValue()).toBe('***');
  });

  it('asks again for the secret of a list item that was moved', async () => {
    const page = await console.openKey(DATABASE);
    await page.getByLabel('Move down item 1').first().click();
    await shows(page, ".field[data-path='replicas[1].token']", 'Enter its secret again.');

    expect(await text(page).inputValue()).not.toMatch(/replicas[^]*\*\*\*/);
  });

  it('creates a key under a prefix, and deletes it after one confirmation', async () => {
    const page = await console.open(`configuration?definition=${encodeURIComponent(TENANTS)}`);
    await page.getByLabel('New key').fill(`${TENANTS}acme`);
    await page.keyboard.press('Enter');
    await inputOf(page, 'name').fill('Acme');
    await inputOf(page, 'limit').fill('3');
    await save(page);
    await shows(page, '.entry-header .badge', 'valid');
    expect(inEtcd(`${TENANTS}acme`)).toEqual({ name: 'Acme', limit: 3 });
    await shows(page, '.key-row', `${TENANTS}acme`);

    await page.getByRole('button', { name: 'Delete key' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await shows(page, '[role=status].good-message', 'Deleted');
    expect(inEtcd(`${TENANTS}acme`)).toBeUndefined();
  });

  it('shows an invalid value that somebody else has written, and the revision that stays in use', async () => {
    const page = await console.openKey(DATABASE);
    writeElsewhere({ port: 'none' });

    await shows(
      page,
      '.entry-header .notice',
      /^Revision \d+ was rejected\. Revision \d+ stays in use\.\s+port must be/,
    );
    await shows(page, '.key-row .bad', '1 violation');
  });

  it('shows hostile keys and values as text', async () => {
    const hostile = '<img src=x onerror="window.hacked=1">\u202e"\'';
    console.etcd.put(`${TENANTS}${hostile}`, { name: hostile, limit: 1 });
    const page = await console.openKey(`${TENANTS}${hostile}`);
    await shows(page, '#entry-title', hostile);
    expect(await inputOf(page, 'name').inputValue()).toBe(hostile);
    await page.getByRole('link', { name: 'History' }).click();
    await page.locator('.revisions h3').first().waitFor();

    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    console.etcd.delete(`${TENANTS}${hostile}`);
  });
});
