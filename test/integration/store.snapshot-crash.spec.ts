import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SnapshotFile } from '../../lib/store/snapshot/snapshot-file.js';
import type { SnapshotContent } from '../../lib/store/snapshot/snapshot-content.js';
import { testFolder } from '../support/test-folder.js';

/** `npm run crash` sets 1,000. */
const KILLS = Number(process.env.CRASH_KILLS ?? 60);
const LONGEST_LIFE_MS = 40;

describe('a process that is killed while it writes snapshots', () => {
  it(
    `leaves an intact one each time, either the last confirmed one or the next (${KILLS} times)`,
    async () => {
      const folder = await testFolder();
      const key = randomBytes(32);
      const path = join(folder, 'app.default.snapshot');
      const file = new SnapshotFile(path, key);
      let inTheMiddle = 0;
      let safe = 0;
      for (let kills = 0; kills < KILLS; kills += 1) {
        safe = (await writeUntilKilled(path, safe + 1, key)) ?? safe;
        const content = (await file.read()) as SnapshotContent;

        expect(content.asOf).toBeGreaterThanOrEqual(safe);
        expect(content.asOf).toBeLessThanOrEqual(safe + 1);
        expect(content.documents.length).toBe(1 + (content.asOf % 400));
        expect(content.documents.every(({ revision }) => revision === content.asOf)).toBe(true);
        safe = content.asOf;
        const leftovers = readdirSync(folder).filter((name) => name.endsWith('.tmp'));
        inTheMiddle += leftovers.length;
        for (const name of leftovers) rmSync(join(folder, name));
      }

      expect(inTheMiddle).toBeGreaterThan(KILLS / 4);
    },
    20_000 + KILLS * 2_000,
  );
});

/** Returns the last number that the process confirmed. */
async function writeUntilKilled(path: string, first: number, key: Buffer): Promise<number | undefined> {
  const child = spawn(
    process.execPath,
    ['test/fixtures/snapshot-writer.mjs', path, String(first), key.toString('hex')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  const begun = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      resolve();
    });
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await Promise.race([begun, ended]);
  await sleep(Math.random() * LONGEST_LIFE_MS);
  child.kill('SIGKILL');
  await ended;
  const numbers = output.split('\n').slice(0, -1);
  return numbers.length > 0 ? Number(numbers.at(-1)) : undefined;
}
