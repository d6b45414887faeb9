import { run } from './command.js';

/** File name of the etcd executable on this platform. */
export const ETCD_FILE = process.platform === 'win32' ? 'etcd.exe' : 'etcd';

/** Returns the version that `etcd --version` prints. Rejects if the file cannot be run or is not etcd. */
export async function etcdVersionOf(path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const output = await run(path, ['--version'], { env: withoutEtcdOptions(env), timeoutMs: 20_000 });
  const version = /etcd Version: (\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`${path} --version does not print an etcd version`);
  return version;
}

/** True if a full version belongs to `majorMinor`, or if `majorMinor` is undefined. */
export function isVersion(full: string, majorMinor: string | undefined): boolean {
  return majorMinor === undefined || full.startsWith(`${majorMinor}.`);
}

/** etcd also reads its flags from `ETCD_...` variables. Those of this process are not meant for the etcd it starts. */
export function withoutEtcdOptions(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCD')));
}
