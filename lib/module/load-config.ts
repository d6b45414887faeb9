import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { backendSourceOf } from '../etcd/etcd-backend.js';
import { checkKnown, type OptionNames } from '../option-checks.js';
import type { ConfigView } from '../store/changes/config-view.js';
import type { CheckedDefinitions, ConfigDefinition, GivenValueType } from '../store/definitions/config-definition.js';
import { checkConfigs } from '../store/definitions/resolved-definition.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { type EtcdTriggerOptions, resolveOptions } from './etcd-trigger.options.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';

/** Options of `loadConfig`: those of the module that concern reading. */
export interface LoadConfigOptions<Configs = readonly ConfigDefinition[]> extends Pick<
  EtcdTriggerOptions,
  'client' | 'keyPrefix' | 'boot' | 'requestTimeoutMs' | 'limits' | 'snapshot' | 'serviceName' | 'podName' | 'logger'
> {
  /** The configurations to load: the definitions of the module, or some of them. */
  readonly configs: Configs;
  /**
   * The cluster of the module whose offline snapshot is used, if there is one. Nothing is saved to it.
   * @default 'default'
   */
  readonly cluster?: string | undefined;
}

/**
 * Reads configurations without a Nest application: in `main.ts` before Nest starts, in scripts and for other tools. They
 * are read and validated as the module does it, and everything is closed before the promise settles. The result does not
 * follow changes.
 *
 * @throws BootError naming everything that is missing, invalid or unreachable, within `boot.timeoutMs`
 * @throws InvalidOptionsError for an invalid option or definition
 */
export async function loadConfig<const Types extends readonly GivenValueType[]>(
  options: LoadConfigOptions<CheckedDefinitions<Types>>,
): Promise<ConfigView> {
  const { cluster, configs, ...given } = checked(options);
  const runtime = new ClusterRuntime(cluster, resolveOptions(given), backendSourceOf(given.client));
  try {
    return (await runtime.loadStore(configs)).snapshot();
  } finally {
    // Does not save a snapshot: it would contain these definitions only.
    runtime.close();
  }
}

const OPTIONS: OptionNames<LoadConfigOptions> = {
  client: true,
  configs: true,
  cluster: true,
  keyPrefix: true,
  boot: true,
  requestTimeoutMs: true,
  limits: true,
  snapshot: true,
  serviceName: true,
  podName: true,
  logger: true,
};

function checked(options: unknown): LoadConfigOptions & { readonly cluster: string } {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionsError('loadConfig needs options: { client, configs }');
  }
  checkKnown(options, OPTIONS, { owner: ' of loadConfig' });
  const given = options as LoadConfigOptions;
  const { cluster = DEFAULT_CLUSTER } = given;
  if (typeof cluster !== 'string') throw new InvalidOptionsError('"cluster" of loadConfig must be a string');
  const configs = checkConfigs('"configs" of loadConfig', given.configs);
  if (configs.length > 0) return { ...given, configs, cluster };
  throw new InvalidOptionsError('"configs" of loadConfig is empty: list the definitions to load');
}
