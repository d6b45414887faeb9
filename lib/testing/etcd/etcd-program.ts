import { run } from './command.js';

/** An executable of etcd, which is found, fetched and cached in the same way as the server. */
export interface EtcdProgram {
  readonly name: string;
  /** The variable with the path of an executable that is used instead. */
  readonly variable: string;
  /** The package of the distribution. */
  readonly aptPackage: string;
  readonly versionArguments: readonly string[];
  /** Matches the output, the version being the first group. */
  readonly versionPattern: RegExp;
}

export const ETCD: EtcdProgram = {
  name: 'etcd',
  variable: 'ETCD_BIN',
  aptPackage: 'etcd-server',
  versionArguments: ['--version'],
  versionPattern: /etcd Version: (\d+\.\d+\.\d+\S*)/,
};

/** File name of the executable on this platform. */
export const fileNameOf = ({ name }: EtcdProgram): string => (process.platform === 'win32' ? `${name}.exe` : name);

/** Returns the version that the file prints. Rejects if the file cannot be run or is another program. */
export async function versionOf(program: EtcdProgram, path: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { name, versionArguments, versionPattern } = program;
  const output = await run(path, versionArguments, { env: withoutEtcdOptions(env), timeoutMs: 20_000 });
  const version = versionPattern.exec(output)?.[1];
  if (version === undefined)
    throw new Error(`${path} ${versionArguments.join(' ')} does not print a version of ${name}`);
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
