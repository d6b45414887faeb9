import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BackendSource, isBackendSource } from '../backend/cluster-backend.js';
import { Etcd3, type EtcdClientOptions, type EtcdCredentials } from '../etcd/connection/etcd-client.js';
import { checkKnown, type OptionNames } from '../option-checks.js';
import type { EtcdTriggerOptions } from '../module/etcd-trigger.options.js';
import { CliError } from './cli.error.js';
import type { Terminal } from './terminal.js';

/** Flags that every command understands. */
export interface ConnectionFlags {
  readonly app?: string;
  readonly cluster?: string;
  readonly hosts?: string;
  readonly user?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly keyPrefix?: string;
  /** Prefix of the audit trail. */
  readonly audit?: string;
  /** Prefix of the coordination. */
  readonly coordination?: string;
}

/** The content of `etcd-trigger.config.js`. */
export interface CliConfig {
  readonly app?: string | undefined;
  readonly cluster?: string | undefined;
  readonly client?: EtcdTriggerOptions['client'] | undefined;
  readonly keyPrefix?: string | undefined;
  readonly audit?: EtcdTriggerOptions['audit'];
  readonly coordination?: EtcdTriggerOptions['coordination'];
}

const CONFIG_FILES = ['js', 'mjs', 'cjs', 'json'].map((extension) => `etcd-trigger.config.${extension}`);
const CONFIG: OptionNames<CliConfig> = {
  app: true,
  cluster: true,
  client: true,
  keyPrefix: true,
  audit: true,
  coordination: true,
};

/**
 * Reads the configuration file of the working directory; empty if there is none.
 * @throws CliError if it cannot be loaded
 */
export async function readConfigFile(directory: string): Promise<CliConfig> {
  const file = CONFIG_FILES.find((name) => existsSync(resolve(directory, name)));
  if (file === undefined) return {};
  const path = resolve(directory, file);
  let config: unknown;
  try {
    config = file.endsWith('.json')
      ? JSON.parse(readFileSync(path, 'utf8'))
      : ((await import(pathToFileURL(path).href)) as { default?: unknown }).default;
  } catch (error) {
    // The parser of JSON quotes the text, which may contain a password.
    const reason = error instanceof Error && !(error instanceof SyntaxError) ? error.message : 'it has a syntax error';
    throw new CliError(`${file} cannot be loaded: ${reason}`);
  }
  if (typeof config !== 'object' || config === null) throw new CliError(`${file} exports no object as default`);
  checkKnown(config, CONFIG, { owner: ` of ${file}` });
  return config;
}

/**
 * Returns the client options. Each value is that of the flag, else of the environment variable, else of the
 * configuration file. The options of the application take the place of the file's if nothing else names the hosts.
 * @throws CliError if nothing names the hosts, a file cannot be read, or a flag cannot be combined with the client
 */
export function clientOf(
  flags: ConnectionFlags,
  { env, directory }: Pick<Terminal, 'env' | 'directory'>,
  config: CliConfig,
  application: EtcdTriggerOptions | undefined,
): EtcdTriggerOptions['client'] {
  const hosts = flags.hosts ?? variable(env.ETCD_HOSTS);
  const client = config.client ?? (hosts === undefined ? application?.client : undefined);
  if (hosts === undefined && client === undefined) {
    throw new CliError('no etcd is named: set --hosts or ETCD_HOSTS, or "client" in etcd-trigger.config.js');
  }
  if (hosts === undefined && isOpaque(client)) {
    const flag = (['user', 'cacert', 'cert', 'key'] as const).find((name) => flags[name] !== undefined);
    if (flag === undefined) return client;
    throw new CliError(`--${flag} cannot be combined with a "client" that is no object with hosts: add --hosts`);
  }
  const options = isOpaque(client) ? undefined : client;
  const user = flags.user ?? variable(env.ETCD_USER);
  return {
    ...options,
    hosts: hosts ?? options?.hosts ?? '',
    credentials: credentialsOf(options?.credentials, certificatesOf(flags, env, directory)),
    auth: user === undefined ? options?.auth : authOf(user, env.ETCD_PASSWORD),
  };
}

/** An empty variable counts as none. */
const variable = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

/** True for a client whose options cannot be read or replaced. */
const isOpaque = (client: EtcdTriggerOptions['client'] | undefined): client is Etcd3 | BackendSource =>
  client instanceof Etcd3 || isBackendSource(client);

/** Reads the files of the flags, or of the variables. */
function certificatesOf(flags: ConnectionFlags, env: Terminal['env'], directory: string): Partial<EtcdCredentials> {
  const read = (flag: string, file: string): Buffer => {
    try {
      return readFileSync(resolve(directory, file));
    } catch {
      throw new CliError(`the file of --${flag} cannot be read: ${file}`);
    }
  };
  const cacert = flags.cacert ?? variable(env.ETCD_CACERT);
  const cert = flags.cert ?? variable(env.ETCD_CERT);
  const key = flags.key ?? variable(env.ETCD_KEY);
  if ((cert === undefined) !== (key === undefined)) throw new CliError('--cert and --key belong together');
  return {
    ...(cacert !== undefined && { rootCertificate: read('cacert', cacert) }),
    ...(cert !== undefined && key !== undefined && { certChain: read('cert', cert), privateKey: read('key', key) }),
  };
}

/** Without the certificate of an authority, Node uses those of the system. */
function credentialsOf(
  configured: EtcdClientOptions['credentials'],
  given: Partial<EtcdCredentials>,
): EtcdClientOptions['credentials'] {
  if (Object.keys(given).length === 0) return configured;
  if (typeof configured === 'function') return async () => ({ ...(await configured()), ...given });
  return { ...configured, ...given } as EtcdCredentials;
}

/** `name`, or `name:password` as etcdctl takes it, although other users of the machine can read arguments. */
function authOf(user: string, password: string | undefined): { username: string; password: string } {
  const colon = user.indexOf(':');
  if (colon >= 0) return { username: user.slice(0, colon), password: user.slice(colon + 1) };
  if (password === undefined) throw new CliError('the user has no password: set ETCD_PASSWORD');
  return { username: user, password };
}
