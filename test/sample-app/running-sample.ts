import { type ChildProcess, spawn } from 'node:child_process';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from '../support/eventually.js';

/** A process of the sample app, also one whose startup fails. */
export interface SampleProcess extends Disposable {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves with the exit code when the process has ended and its output is complete. */
  readonly ended: Promise<number | null>;
}

export interface RunningSample extends SampleProcess {
  readonly url: string;
}

/** Runs the built app directly instead of through `npm start`, so that signals reach it. */
export function run(env: Record<string, string>): SampleProcess {
  const child = spawn(process.execPath, ['sample-app/dist/main.js'], { env: { ...process.env, ...env } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    output: () => text,
    ended,
    [Symbol.dispose]: () => {
      child.kill('SIGKILL');
    },
  };
}

/** Resolves when the app responds. */
export async function start(env: Record<string, string> = {}): Promise<RunningSample> {
  const port = env.PORT ?? String(await freePort());
  const sample = run({ PORT: port, ...env });
  const url = `http://127.0.0.1:${port}`;
  try {
    await eventually(async () => (await fetch(`${url}/config`)).ok, { withinMs: 50_000 });
    return { ...sample, url };
  } catch (error) {
    sample[Symbol.dispose]();
    throw error;
  }
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}
