import { EtcdTriggerError, WatchError } from '../../etcd-trigger.errors.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeThrown } from '../../foreign/foreign-error.js';
import { KeyRange } from '../../backend/key-range.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import { isRefusal } from '../../backend/list-watcher.js';
import { BACKOFF, quietPause } from '../../timing/backoff.js';
import { withAnySignal } from '../../timing/any-signal.js';
import { InitialList } from '../../watch/sharing/initial-list.js';
import type { SharedRanges } from '../../watch/sharing/shared-ranges.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import type { WatchOrigin } from '../../watch/watch-event.js';
import { LayerListener, type LayerSink } from './layer-listener.js';
import type { LayeredFeed } from './layered-feed.js';
import { LayeredRegistration } from './layered-registration.js';
import { type LayersAt, readTogether } from './read-together.js';

export interface LayerReaderOptions {
  readonly keyValue: KeyValueStore;
  readonly ranges: SharedRanges;
  readonly log: InstanceLog;
}

/**
 * Keeps a feed at the merge of its layers. The stream of each layer reports that something has changed; then all layers
 * are read at one revision, so that a transaction over several layers is never seen in part. Changes during a read are
 * covered by the next one.
 */
export class LayerReader implements LayerSink {
  readonly registration: LayeredRegistration;
  readonly #options: LayerReaderOptions;
  readonly #listeners: readonly LayerListener[];
  readonly #firstRead = new InitialList<true>();
  readonly #closing = new AbortController();
  /** Aborted to end the pause before the next attempt. */
  #waking = new AbortController();
  /** Highest revision of a reported change. */
  #wanted = 0;
  /** True if the next read is needed whatever its revision is. */
  #isForced = false;
  #origin: WatchOrigin = 'initial';
  /** Revision of the last read that was delivered. */
  #readAt = 0;
  #last: LayersAt | undefined;
  /** Revision of the last change of each layer. */
  readonly #changedAt = new Map<string, number>();
  #starts = 0;
  #completed = 0;
  #isRunning = false;
  #isFailing = false;

  constructor(
    readonly feed: LayeredFeed,
    options: LayerReaderOptions,
  ) {
    this.#options = options;
    const { ranges } = options;
    this.#listeners = feed.layerKeys.map(
      (key) => new LayerListener(key, ranges.acquire(KeyRange.of({ key }), { paused: true }), this),
    );
    this.registration = new LayeredRegistration(this.#listeners, this.#firstRead, () => this.#visible);
    feed.registered(this.registration);
    this.#start();
  }

  get isListed(): boolean {
    return this.feed.isListed;
  }

  /** Ranges of the layers while they are being read, for tests that wait until nothing is pending. */
  get reading(): readonly KeyRange[] {
    return this.#isRunning ? this.#listeners.map(({ watched }) => watched.range) : [];
  }

  pause(): void {
    for (const { watched } of this.#listeners) watched.pause();
  }

  resume(): void {
    for (const { watched } of this.#listeners) watched.resume();
  }

  close(): void {
    this.#closing.abort();
    this.registration.unregister();
    for (const { watched } of this.#listeners) this.#options.ranges.release(watched);
  }

  changed({ revision, origin }: ChangeBatch): void {
    if (origin !== 'live') {
      this.#isForced = true;
      this.#wanted = 0;
      if (this.#last) this.#origin = 'resync';
    } else if (revision > this.#readAt) {
      this.#wanted = Math.max(this.#wanted, revision);
      if (this.#last && !this.#isForced) this.#origin = 'live';
    }
    this.#start();
  }

  stateChanged(): void {
    const isInterrupted = this.#isFailing || this.#listeners.some((listener) => listener.isInterrupted);
    if (isInterrupted) this.feed.interrupted();
    else this.feed.following();
    if (this.#isFailing && !this.#listeners.some((listener) => listener.isInterrupted)) this.#waking.abort();
  }

  /** Resolves with true when readers see what a read from now on returns, and with false after the limit or on close. */
  async refresh(withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    const needed = this.#starts + 1;
    this.#isForced = true;
    this.#start();
    while (this.#completed < needed) {
      const left = until - performance.now();
      if (left <= 0 || this.#closing.signal.aborted) return false;
      await this.feed.updates.next(left);
    }
    return true;
  }

  async currentRevision(withinMs: number): Promise<number | undefined> {
    return (await this.refresh(withinMs)) ? this.#readAt : undefined;
  }

  async hasCaughtUp(revision: number, withinMs: number): Promise<boolean> {
    return (await this.refresh(withinMs)) && this.#readAt >= revision;
  }

  /** All changes of all layers up to this revision are visible. */
  get #visible(): number {
    if (this.#isRunning) return this.#readAt;
    return Math.max(this.#readAt, Math.min(...this.#listeners.map(({ registration }) => registration.revision)));
  }

  #start(): void {
    // The first batch may arrive while the constructor registers the layers.
    const listeners = this.#listeners as readonly LayerListener[] | undefined;
    if (this.#isRunning || !listeners?.every(({ isListed }) => isListed)) return;
    if (!this.#isForced && this.#wanted <= this.#readAt) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted && (this.#isForced || this.#wanted > this.#readAt);) {
      const start = ++this.#starts;
      this.#isForced = false;
      const origin = this.#origin;
      try {
        const read = await this.#read();
        await this.#deliver(read, origin, start);
        attempt = read.revision < this.#wanted ? attempt + 1 : 0;
        if (attempt > 0) await this.#pause(BACKOFF.soon(attempt));
      } catch (error) {
        this.#isForced = true;
        await this.#failed(error, attempt);
        attempt += 1;
      }
    }
    this.#isRunning = false;
  }

  async #read(): Promise<LayersAt> {
    const { keyValue } = this.#options;
    const read = await readTogether(keyValue, `read the layers of ${this.feed.subject}`, this.feed.layerKeys);
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#options.log.info(`${this.feed.subject}: its layers can be read again`);
      this.stateChanged();
    }
    return read;
  }

  async #deliver(read: LayersAt, origin: WatchOrigin, start: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (!this.#last) void this.#warnOfIgnoredDocument();
    this.feed.deliverLayers(read, this.#changeOf(read), origin);
    await this.feed.parsing.idle();
    this.#last = read;
    this.#readAt = read.revision;
    this.#completed = start;
    this.#origin = this.#isForced ? this.#origin : 'live';
    this.#firstRead.complete(true);
    this.feed.updates.wake();
  }

  /** A document at the key may be left from the time before the definition had layers. Never rejects. */
  async #warnOfIgnoredDocument(): Promise<void> {
    const { name: key } = this.feed.definition;
    if (this.feed.layerKeys.includes(key)) return;
    try {
      const { record } = await this.#options.keyValue.get(rawKeyOf(key));
      if (!record) return;
      this.#options.log.warn(
        `${this.feed.subject}: the document at this key is ignored, because it is not one of the layers`,
      );
    } catch {
      // The application may lack the permission to read the key, and does not need it.
    }
  }

  /** Returns the revision of the last change of a layer. */
  #changeOf({ revision, layers }: LayersAt): number {
    for (const layer of layers) {
      const before = this.#last?.layers.find(({ key }) => key === layer.key);
      const deletedAt = this.#listeners.find(({ key }) => key === layer.key)?.deletedAt ?? 0;
      if (layer.bytes !== undefined) this.#changedAt.set(layer.key, layer.revision);
      else if (before?.bytes !== undefined)
        this.#changedAt.set(layer.key, deletedAt > before.revision ? deletedAt : revision);
    }
    return Math.max(0, ...this.#changedAt.values()) || revision;
  }

  async #failed(error: unknown, attempt: number): Promise<void> {
    const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
    this.#firstRead.fail(known);
    if (!this.#isFailing && !this.#closing.signal.aborted) {
      this.#isFailing = true;
      this.#options.log.warn(
        `${this.feed.subject}: its layers cannot be read, which is retried: ${describeThrown(known)}`,
      );
      this.stateChanged();
    }
    await this.#pause(isRefusal(known) ? BACKOFF.refused() : BACKOFF.soon(attempt));
  }

  async #pause(ms: number): Promise<void> {
    this.#waking = new AbortController();
    await withAnySignal([this.#closing.signal, this.#waking.signal], (signal) => quietPause(ms, signal));
  }
}
