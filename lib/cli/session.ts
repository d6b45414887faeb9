import type { KeyValueStore } from '../backend/key-value-store.js';
import { backendSourceOf } from '../etcd/etcd-backend.js';
import { ClusterRuntime } from '../module/cluster.runtime.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import type { StoreService } from '../store/store.service.js';
import type { RawWriter } from '../store/writing/raw-writer.js';
import type { WatcherService } from '../watch/watcher.service.js';
import { ConfigDefinitions } from '../store/definitions/config-definitions.js';
import { identityOf, type ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';
import { quoted } from '../foreign/foreign-text.js';
import { CliError } from './cli.error.js';
import type { ConnectionFlags } from './connection.js';
import { type Target, targetOf } from './target.js';
import type { Terminal } from './terminal.js';

/** The connection to etcd, and the definitions of the application. */
export interface Session {
  readonly watcher: WatcherService;
  /** The keys of the application's definitions; empty without an application. */
  readonly store: StoreService;
  readonly feeds: readonly DefinitionFeed[];
  /**
   * Returns the feed of the definition that governs the key.
   * @throws CliError if there is none
   */
  readonly feedOf: (key: string) => DefinitionFeed;
  /** The definitions as the application declares them; `undefined` without an application. */
  readonly declared: ConfigDefinitions | undefined;
  readonly keyValue: KeyValueStore;
  /** Writes bytes without a validation. */
  readonly rawWriter: RawWriter;
  /** Number of writes in one transaction. */
  readonly mostWrites: number;
}

/** Changes definitions for a command. */
export type Adapt = (definition: ConfigDefinition) => ConfigDefinition;

/** Commands show an invalid value instead of failing, and read what is not there. */
const tolerant: Adapt = (definition) => ({ ...definition, required: undefined, onInvalid: 'skip' });

/**
 * Connects to etcd, reads the configurations of the application if there is one, runs the command, and closes everything.
 * @throws CliError, the errors of the connection, and those of the command
 */
export async function inSession<T>(
  flags: ConnectionFlags,
  terminal: Terminal,
  run: (session: Session) => Promise<T>,
  adapt: Adapt = (definition) => definition,
): Promise<T> {
  const { application, client, options } = await targetOf(flags, terminal);
  // The command takes no part in the shared work of the instances.
  const resolved = { ...options, coordination: undefined };
  const runtime = new ClusterRuntime(application?.cluster ?? 'default', resolved, backendSourceOf(client));
  try {
    const definitions = application?.definitions;
    const configs = (definitions ?? []).map(tolerant).map(adapt);
    const store = await runtime.loadStore(configs);
    const { watcher, feeds, keyValue, rawWriter } = runtime;
    const declared = definitions && new ConfigDefinitions(definitions, options.limits);
    const feedOf = (key: string): DefinitionFeed => {
      const governing = declared?.governing(key);
      const feed = governing && feedFor(governing, feeds);
      if (feed) return feed;
      throw new CliError(`no definition of the application covers ${quoted(key)}${declared?.layerHint(key) ?? ''}`);
    };
    return await run({ watcher, store, feeds, feedOf, declared, keyValue, rawWriter, mostWrites: mostWrites(options) });
  } finally {
    await runtime.shutdown();
  }
}

/** Returns the feed of a definition, which a command may have adapted. */
export const feedFor = (
  { target }: Pick<ResolvedConfigDefinition, 'target'>,
  feeds: readonly DefinitionFeed[],
): DefinitionFeed | undefined => feeds.find(({ definition }) => identityOf(definition.target) === identityOf(target));

/** etcd takes 128 operations: one is for `outcomes`, and `audit` needs one for each write. */
function mostWrites({ audit, limits: { transactionOperations } }: Target['options']): number {
  return audit ? Math.floor((transactionOperations - 1) / 2) : Math.max(1, Math.min(120, transactionOperations - 1));
}
