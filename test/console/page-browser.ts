import { StoreService } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import { launch } from '../support/chromium.js';
import { eventually } from '../support/eventually.js';
import { API_KEY, type ConsoleOptions, INITIAL, PASSWORD, startConsole, type StartedConsole } from './page-fixture.js';

/** A console in a headless browser. `check()` fails if a page had an error, or had a secret in its document. */
export class ConsoleInBrowser {
  readonly #errors: string[] = [];
  #pages: Page[] = [];

  private constructor(
    readonly etcd: FakeCluster,
    private readonly context: BrowserContext,
    private console: StartedConsole,
  ) {}

  static async start(chromium = '', options: Partial<ConsoleOptions> = {}): Promise<ConsoleInBrowser> {
    const etcd = options.etcd ?? new FakeCluster(INITIAL);
    const [browser, console] = await Promise.all([launch(chromium), startConsole({ ...options, etcd })]);
    // One context, so that all pages share the cache of the browser.
    const context = await browser.newContext({ viewport: { width: 1_280, height: 900 } });
    return new ConsoleInBrowser(etcd, context, console);
  }

  get url(): string {
    return this.console.url;
  }

  /** The store of the application, for writes that the page does not make. */
  get store(): StoreService {
    return this.console.app.get(StoreService, { strict: false });
  }

  /** Opens a view, such as `configuration?key=/shop/db`. Resolves when the page is connected. */
  async open(view = ''): Promise<Page> {
    const page = await this.context.newPage();
    page.setDefaultTimeout(15_000);
    page.on('pageerror', ({ stack, message }) => this.#errors.push(stack ?? message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.#errors.push(message.text());
    });
    this.#pages.push(page);
    await page.goto(`${this.url}#/${view}`);
    await page.locator('#application-status.good').waitFor();
    return page;
  }

  /** Opens a key, and resolves when it can be edited. */
  async openKey(key: string): Promise<Page> {
    const page = await this.open(`configuration?key=${encodeURIComponent(key)}`);
    await page.locator('.entry-header').waitFor();
    return page;
  }

  /** Checks all pages that were opened since the last time, and closes them. */
  async check(): Promise<void> {
    const pages = this.#pages;
    this.#pages = [];
    for (const page of pages) {
      const content = await page.content();
      const values = await page.evaluate<string>(
        '[...document.querySelectorAll("textarea")].map((e) => e.value).join()',
      );
      await page.close();
      for (const secret of [PASSWORD, API_KEY]) expect(content + values).not.toContain(secret);
    }
    expect(this.#errors).toEqual([]);
  }

  /** Ends the application. */
  async stop(): Promise<void> {
    await this.console.app.close();
  }

  /** Starts the application again, at the same address. */
  async restart(): Promise<void> {
    this.console = await startConsole({ etcd: this.etcd, port: this.console.port });
  }

  async close(): Promise<void> {
    await this.context.browser()?.close();
    await this.console.app.close();
  }
}

/** Waits until an element shows a text. */
export const shows = (page: Page, selector: string, text: string | RegExp): Promise<unknown> =>
  eventually(async () => {
    expect(await page.locator(selector).first().innerText()).toMatch(text);
  });
