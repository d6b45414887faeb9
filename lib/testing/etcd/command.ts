import { execFile } from 'node:child_process';

/** Runs a program and returns its standard output. Rejects with the program's name and its last line on stderr. */
export function run(
  program: string,
  args: readonly string[],
  {
    env = process.env,
    cwd,
    timeoutMs = 300_000,
  }: { env?: NodeJS.ProcessEnv; cwd?: string | undefined; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, killSignal: 'SIGKILL' as const };
    const child = execFile(program, args, { env, cwd, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program}: ${lastLine(stderr) ?? error.message}`, { cause: error }));
    });
    child.stdin?.end();
  });
}

function lastLine(text: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '');
}
