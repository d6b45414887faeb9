import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SABOTAGES, type Sabotage } from './sabotages.js';

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

/** In a process of its own, which is all that is broken. @returns the first thing that was found wrong */
function caughtBy(index: number, { trial }: Sabotage): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [RUN, 'trial', trial, '--sabotage', String(index)],
      { timeout: 600_000 },
      (error, stdout, stderr) => {
        const [found] = [...stdout.split('\n'), ...stderr.split('\n').filter((line) => line.includes('Error'))].filter(
          Boolean,
        );
        resolve(error === null ? undefined : (found ?? 'the end of the process'));
      },
    );
  });
}

function print(rule: string, name: string, caught: string): void {
  process.stdout.write(`${rule.padEnd(24)}${name.padEnd(62)}${caught.slice(0, 120)}\n`);
}
