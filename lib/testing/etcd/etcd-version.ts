import { run } from './command.js';

/** The file name of the etcd program on this platform. */
export const ETCD_FILE = process.platform === 'win32' ? 'etcd.exe' : 'etcd';

/** What `etcd --version` says, as `3.5.21`; rejects when it cannot be run or is not an etcd. */
export async function etcdVersionOf(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const output = await run(path, ['--version'], { env: withoutEtcdOptions(env), timeoutMs: 20_000 });
  const version = /etcd Version: (\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`${path}: --version does not answer like an etcd`);
  return version;
}

/** Whether a full version is one of `major.minor`; every version is one of `undefined`. */
export function isVersion(full: string, majorMinor: string | undefined): boolean {
  return majorMinor === undefined || full.startsWith(`${majorMinor}.`);
}

/** etcd reads every flag from `ETCD_...` as well: what this process was told is not meant for the etcd it starts. */
export function withoutEtcdOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCD')));
}
