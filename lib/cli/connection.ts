import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
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
 * Returns the client options: those of the flags, of the environment, of the configuration file, or of the application,
 * in this order. Sources are not mixed: whichever names the hosts gives everything else, too.
 * @throws CliError if nothing names the hosts, or a file cannot be read
 */
export function clientOf(
  flags: ConnectionFlags,
  { env, directory }: Pick<Terminal, 'env' | 'directory'>,
  config: CliConfig,
  application: EtcdTriggerOptions | undefined,
): EtcdTriggerOptions['client'] {
  const given = {
    hosts: flags.hosts ?? env.ETCD_HOSTS,
    user: flags.user ?? env.ETCD_USER,
    cacert: flags.cacert ?? env.ETCD_CACERT,
    cert: flags.cert ?? env.ETCD_CERT,
    key: flags.key ?? env.ETCD_KEY,
  };
  if (!given.hosts) {
    const client = config.client ?? application?.client;
    if (client) return client;
    throw new CliError('no etcd is named: set --hosts or ETCD_HOSTS, or "client" in etcd-trigger.config.js');
  }
  const read = (flag: string, file: string): Buffer => {
    try {
      return readFileSync(resolve(directory, file));
    } catch {
      throw new CliError(`the file of --${flag} cannot be read: ${file}`);
    }
  };
  const { cacert, cert, key } = given;
  if ((cert === undefined) !== (key === undefined)) throw new CliError('--cert and --key belong together');
  return {
    hosts: given.hosts,
    ...(cacert && {
      credentials: {
        rootCertificate: read('cacert', cacert),
        ...(cert && key && { certChain: read('cert', cert), privateKey: read('key', key) }),
      },
    }),
    ...(given.user && { auth: authOf(given.user, env.ETCD_PASSWORD) }),
  };
}

/** `name`, or `name:password` as etcdctl takes it, although other users of the machine can read arguments. */
function authOf(user: string, password: string | undefined): { username: string; password: string } {
  const colon = user.indexOf(':');
  if (colon >= 0) return { username: user.slice(0, colon), password: user.slice(colon + 1) };
  if (password === undefined) throw new CliError('the user has no password: set ETCD_PASSWORD');
  return { username: user, password };
}
