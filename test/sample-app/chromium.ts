import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

const QUIET = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/**
 * Path of a browser on this machine: `CHROMIUM_BIN`, else the first on the `PATH`. Where there is none, it says aloud that the page's tests do not run and
 * how to get one; with `CI=true` that is an error.
 */
export function findChromium(): string | undefined {
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const places = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = [process.env.CHROMIUM_BIN ?? '', ...places].find(isExecutable);
  if (found !== undefined) return found;
  const remedy = 'there is no Chromium: apt-get install --no-install-recommends chromium, or set CHROMIUM_BIN';
  if (process.env.CI === 'true') throw new Error(`the sample app's page cannot be tested, ${remedy}`);
  process.stdout.write(`SKIPPED: the tests of the sample app's page, because ${remedy}\n`);
  return undefined;
}

export const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...QUIET],
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
