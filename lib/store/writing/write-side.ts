import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { ClusterBackend } from '../../backend/cluster-backend.js';
import type { FenceRegistry } from '../../backend/fence.js';
import { SYSTEM_WALL_CLOCK } from '../../backend/wall-clock.js';
import { AuditLease } from '../audit/audit-lease.js';
import type { ResolvedAudit } from '../audit/audit-options.js';
import { AuditReader } from '../audit/audit-reader.js';
import { AuditTrail, type AuditTrailOptions } from '../audit/audit-trail.js';
import { CasOutcomeResolver } from './cas-outcome.resolver.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { MarkerOutcomeResolver } from './marker-outcome.resolver.js';
import { MarkerLease } from './marker-lease.js';
import type { ConfigDefinitions } from '../definitions/config-definitions.js';
import { ConfigHistory } from './config-history.js';
import { ConfigLeases } from './config-leases.js';
import { type ConfigUpdate, ConfigUpdater, type UpdateOptions } from './config-updater.js';
import { ConfigWriter, type WriteResult } from './config-writer.js';
import type { PutContent } from './key-write.js';
import type { DeleteOptions, PutOptions } from './write-options.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { LayeredFeed } from '../layers/layered-feed.js';
import { LayerWriter } from './layer-writer.js';
import { RawWriter } from './raw-writer.js';
import { FreshRead } from './fresh-read.js';
import { quoted } from '../../foreign/foreign-text.js';

export interface WriteSideOptions {
  /** Limit of a single request, in milliseconds. An unknown outcome is resolved within twice this limit. */
  readonly requestTimeoutMs: number;
  /** Prefix of the marker keys; `undefined`: no markers. */
  readonly markerPrefix: string | undefined;
  /** `undefined`: no audit trail. */
  readonly audit: ResolvedAudit | undefined;
  /** Limit of etcd. */
  readonly transactionOperations: number;
  /** The names of this instance, for the audit trail. */
  readonly instance: AuditTrailOptions['instance'];
  readonly log: InstanceLog;
}

/** The ports that a store writes through. */
export type WriteBackend = Pick<ClusterBackend, 'keyValue' | 'leases' | 'listWatcher' | 'wallClock'>;

/** The parts of a store that send requests to etcd. */
export class WriteSide {
  /** Writes layers, and the transactions that contain them. */
  readonly layers: LayerWriter;
  readonly raw: RawWriter;
  /** Prepares writes that are sent together with others. */
  readonly prepare: ConfigWriter['prepare'];
  readonly #writer: ConfigWriter;
  readonly #updater: ConfigUpdater;
  readonly history: ConfigHistory;
  readonly fresh: FreshRead;
  /** `undefined` without the option `audit`. */
  readonly audit: AuditReader | undefined;
  readonly #options: WriteSideOptions;
  readonly #leases: ConfigLeases;
  readonly #closing = new AbortController();

  constructor(backend: WriteBackend, fences: FenceRegistry, options: WriteSideOptions) {
    this.#options = options;
    const trail = trailOf(backend, options);
    this.#leases = new ConfigLeases(backend.leases, backend.keyValue, options.log, trail);
    const keyValue = this.#withResolver(backend);
    this.#writer = new ConfigWriter(keyValue, this.#leases, fences, trail);
    this.raw = new RawWriter(keyValue, trail);
    this.audit =
      options.audit && new AuditReader({ ...backend, ...options, ...options.audit, signal: this.#closing.signal });
    this.prepare = this.#writer.prepare.bind(this.#writer);
    this.#updater = new ConfigUpdater(this.#writer);
    this.layers = new LayerWriter(backend.keyValue, this.#writer);
    this.history = new ConfigHistory(backend.keyValue, this.#writer, this.layers);
    this.fresh = new FreshRead(backend.keyValue, options);
  }

  /**
   * Rejects definitions that cover the markers, because the store would parse the markers as configurations.
   * @throws InvalidOptionsError
   */
  checkMarkers(definitions: ConfigDefinitions): void {
    const { markerPrefix } = this.#options;
    const covering = markerPrefix === undefined ? undefined : definitions.governingPrefix(markerPrefix);
    if (!covering) return;
    throw new InvalidOptionsError(
      `"outcomes.prefix" is under the prefix ${quoted(covering.name)} of a definition: use a separate prefix for the markers`,
    );
  }

  put(feed: DefinitionFeed, key: string, content: PutContent, options: PutOptions): Promise<WriteResult> {
    return feed instanceof LayeredFeed
      ? this.layers.put(feed, key, content, options)
      : this.#writer.put(feed, key, content, options);
  }

  delete(feed: DefinitionFeed, key: string, options: DeleteOptions): ReturnType<ConfigWriter['delete']> {
    return feed instanceof LayeredFeed
      ? this.layers.delete(feed, key, options)
      : this.#writer.delete(feed, key, options);
  }

  update(
    feed: DefinitionFeed,
    key: string,
    change: ConfigUpdate<object>,
    options: UpdateOptions,
  ): Promise<WriteResult> {
    return feed instanceof LayeredFeed
      ? this.layers.update(feed, key, change, options)
      : this.#updater.update(feed, key, change, options);
  }

  /** Revokes the leases of this process, if etcd answers in time, and then closes. */
  async end(): Promise<void> {
    await this.#leases.close();
    this.close();
  }

  /** Closes immediately and without requests: outcomes that are being resolved stay unknown. */
  close(): void {
    this.#closing.abort();
    this.#leases.stop();
  }

  /** Resolves unknown outcomes by markers, or by the compares of the writes. */
  #withResolver({ keyValue, leases }: Pick<ClusterBackend, 'keyValue' | 'leases'>): KeyValueStore {
    const { markerPrefix, requestTimeoutMs } = this.#options;
    const options = { limitMs: 2 * requestTimeoutMs, signal: this.#closing.signal };
    if (markerPrefix === undefined) return new CasOutcomeResolver(keyValue, options);
    return new MarkerOutcomeResolver(keyValue, new MarkerLease(leases), { prefix: markerPrefix, ...options });
  }
}

function trailOf(
  { leases, wallClock = SYSTEM_WALL_CLOCK }: WriteBackend,
  { audit, ...options }: WriteSideOptions,
): AuditTrail | undefined {
  const now = (): number => wallClock.now();
  return audit && new AuditTrail({ ...options, ...audit, now, lease: new AuditLease(leases, now, audit.keepDays) });
}
