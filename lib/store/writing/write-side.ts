import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { ClusterBackend } from '../../backend/cluster-backend.js';
import { CasOutcomeResolver } from './cas-outcome.resolver.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { MarkerOutcomeResolver } from './marker-outcome.resolver.js';
import { MarkerLease } from './marker-lease.js';
import type { ConfigDefinitions } from '../definitions/config-definitions.js';
import { ConfigHistory } from './config-history.js';
import { ConfigLeases } from './config-leases.js';
import { ConfigUpdater } from './config-updater.js';
import { ConfigWriter } from './config-writer.js';
import { FreshRead } from './fresh-read.js';

/** On whose terms a store writes. */
export interface WriteSideOptions {
  /** Limit of a single request, in milliseconds; a lost answer has twice as long to be settled. */
  readonly requestTimeoutMs: number;
  /** What the keys of markers begin with; `undefined`: no markers. */
  readonly markerPrefix: string | undefined;
  readonly log: InstanceLog;
}

/** Everything of a store that goes to etcd itself, and how it ends. */
export class WriteSide {
  readonly writer: ConfigWriter;
  readonly updater: ConfigUpdater;
  readonly history: ConfigHistory;
  readonly fresh: FreshRead;
  readonly #terms: WriteSideOptions;
  readonly #leases: ConfigLeases;
  readonly #closing = new AbortController();

  constructor(backend: Pick<ClusterBackend, 'keyValue' | 'leases'>, terms: WriteSideOptions) {
    this.#terms = terms;
    this.#leases = new ConfigLeases(backend.leases, backend.keyValue, terms.log);
    this.writer = new ConfigWriter(this.#settling(backend), this.#leases);
    this.updater = new ConfigUpdater(this.writer);
    this.history = new ConfigHistory(backend.keyValue, this.writer);
    this.fresh = new FreshRead(backend.keyValue, terms);
  }

  /**
   * A store would take the markers for configurations.
   * @throws InvalidOptionsError
   */
  checkMarkers(definitions: ConfigDefinitions): void {
    const { markerPrefix } = this.#terms;
    const covering = markerPrefix === undefined ? undefined : definitions.governingPrefix(markerPrefix);
    if (!covering) return;
    throw new InvalidOptionsError(
      `"outcomes.prefix" lies under the prefix "${covering.name}" of a definition: give the markers a prefix of their own`,
    );
  }

  /** Ends the keys that live as long as this process, as far as etcd answers in time. */
  async end(): Promise<void> {
    await this.#leases.close();
    this.close();
  }

  /** Local and immediate: what is being settled stays unknown. */
  close(): void {
    this.#closing.abort();
    this.#leases.stop();
  }

  /** Settles lost answers, by markers or else by the compares of the writes. */
  #settling({ keyValue, leases }: Pick<ClusterBackend, 'keyValue' | 'leases'>): KeyValueStore {
    const { markerPrefix, requestTimeoutMs } = this.#terms;
    const terms = { limitMs: 2 * requestTimeoutMs, signal: this.#closing.signal };
    if (markerPrefix === undefined) return new CasOutcomeResolver(keyValue, terms);
    return new MarkerOutcomeResolver(keyValue, new MarkerLease(leases), { prefix: markerPrefix, ...terms });
  }
}
