import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { VIOLATION_FOUND } from './lab-failure.js';
import { SABOTAGES, type Sabotage } from './sabotages.js';

/** A fault may end before the library notices it, and on a busy machine a cluster may not start in time. */
const MAX_ATTEMPTS = 3;
const RUN = fileURLToPath(new URL('./run.mjs', import.meta.url));

/**
 * `npm run test:sabotage [-- WORD ...]`: breaks each rule, or those whose name contains a word, and prints the check
 * that detects it. Fails if a sabotage is not detected.
 */
export async function main(words: string[]): Promise<number> {
  let undetected = 0;
  print('rule', 'sabotage', 'detected by');
  for (const [index, sabotage] of SABOTAGES.entries()) {
    if (words.length > 0 && !words.some((word) => `${sabotage.rule} ${sabotage.name}`.includes(word))) continue;
    const violation = await detectedBy(index, sabotage);
    if (violation === undefined) undetected += 1;
    print(sabotage.rule, sabotage.name, violation ?? 'NOT DETECTED');
  }
  return undetected === 0 ? 0 : 1;
}

async function detectedBy(index: number, sabotage: Sabotage): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const { code, firstLine } = await runOnce(index, sabotage);
    if (code === VIOLATION_FOUND) return firstLine;
    if (attempt < MAX_ATTEMPTS) continue;
    if (code === 0) return undefined;
    throw new Error(`"${sabotage.name}" could not be run: ${firstLine}`);
  }
}

/**
 * Runs in a separate process, because the sabotage affects the whole process. Its first line is the first violation.
 */
function runOnce(index: number, { run }: Sabotage): Promise<{ readonly code: unknown; readonly firstLine: string }> {
  const args = [RUN, 'short-run', run, '--sabotage', String(index)];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 600_000 }, (error, stdout, stderr) => {
      const [firstLine = ''] = (stdout || stderr).split('\n');
      resolve({ code: error === null ? 0 : error.code, firstLine });
    });
  });
}

function print(rule: string, name: string, violation: string): void {
  process.stdout.write(`${rule.padEnd(24)}${name.padEnd(62)}${violation.slice(0, 120)}\n`);
}
