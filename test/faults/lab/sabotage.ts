import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FOUND } from './lab-failure.js';
import { SABOTAGES, type Sabotage } from './sabotages.js';

const ATTEMPTS = 3;
const RUN = fileURLToPath(new URL('./run.mjs', import.meta.url));

/** `npm run test:sabotage [-- WORD ...]`: breaks each rule (or those whose name has a word) and shows which check catches it; fails if one survives. */
export async function main(words: string[]): Promise<number> {
  let survivors = 0;
  print('rule', 'sabotage', 'caught by');
  for (const [index, sabotage] of SABOTAGES.entries()) {
    if (words.length > 0 && !words.some((word) => `${sabotage.rule} ${sabotage.name}`.includes(word))) continue;
    const caught = await caughtBy(index, sabotage);
    if (caught === undefined) survivors += 1;
    print(sabotage.rule, sabotage.name, caught ?? 'NOTHING: it survives');
  }
  return survivors === 0 ? 0 : 1;
}

/** A run that could not be made is made again: on a busy machine a cluster may not start in time. */
async function caughtBy(index: number, sabotage: Sabotage): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const { code, found } = await attemptOf(index, sabotage);
    if (code === 0) return undefined;
    if (code === FOUND) return found;
    if (attempt === ATTEMPTS) throw new Error(`"${sabotage.name}" cannot be tried: ${found}`);
  }
}

/** In a process of its own, which is all that is broken. The first line that it prints is the first thing that was found wrong. */
function attemptOf(index: number, { trial }: Sabotage): Promise<{ readonly code: unknown; readonly found: string }> {
  const args = [RUN, 'trial', trial, '--sabotage', String(index)];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 600_000 }, (error, stdout, stderr) => {
      const [found = ''] = (stdout || stderr).split('\n');
      resolve({ code: error === null ? 0 : error.code, found });
    });
  });
}

function print(rule: string, name: string, caught: string): void {
  process.stdout.write(`${rule.padEnd(24)}${name.padEnd(62)}${caught.slice(0, 120)}\n`);
}
