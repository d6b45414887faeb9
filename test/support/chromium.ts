import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

const NO_BACKGROUND_TRAFFIC = [
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Returns the path of Chromium: `CHROMIUM_BIN`, else the first one on the `PATH`. If there is none, it prints that the
 * page's tests are skipped and how to install Chromium. With `CI=true` it throws instead.
 */
export function findChromium(): string | undefined {
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const places = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = [process.env.CHROMIUM_BIN ?? '', ...places].find(isExecutable);
  if (found !== undefined) return found;
  const remedy = 'Chromium was not found: apt-get install --no-install-recommends chromium, or set CHROMIUM_BIN';
  if (process.env.CI === 'true') throw new Error(`the pages cannot be tested: ${remedy}`);
  process.stdout.write(`SKIPPED: tests of the pages. ${remedy}\n`);
  return undefined;
}

export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...NO_BACKGROUND_TRAFFIC],
  });

function isExecutable(path: string): boolean {
  if (path === '') return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
