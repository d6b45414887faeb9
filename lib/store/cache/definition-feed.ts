import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { RangeListener, ListenerRegistration } from '../../watch/sharing/range-listener.js';
import type { ResyncNotice, WatchOrigin } from '../../watch/watch-event.js';
import type { CacheUpdate } from './cache-update.js';
import { type Change, ChangeParser } from './change-parser.js';
import { ConfigCache, type ConfigCacheOptions, type ConfigDocument, type ParsedBatch } from './config-cache.js';
import { ParsingQueue } from './parsing-queue.js';
import { ReferenceRefresh } from './reference-refresh.js';
import { UpdateWaits } from './update-waits.js';
import { describeTarget, identityOf, type ResolvedConfigDefinition } from '../definitions/resolved-definition.js';
import type { CacheEntry, ConfigEntry, ParsedChange, Write } from './cache-entry.js';
import { type ValueParser, valueParserOf } from '../../dto/value-parser.js';
import type { DocumentFormat } from '../../dto/formats/document-format.js';
import { DtoSerializer } from '../../dto/dto-serializer.js';

/** Reports what happens while a feed reads values. */
export interface FeedReporter {
  /** Called for a value with unknown properties, once for each set of names. */
  stripped(key: string, names: string): void;
  /** Called once for each feed, for the first key that is not UTF-8. */
  unnamed(feed: DefinitionFeed, escapedKey: string): void;
  /** Called if a value could not be parsed because the parser has thrown unexpectedly. */
  parserFailed(key: string, error: unknown): void;
  /** Called if an update has thrown unexpectedly; it is retried. */
  failed(feed: DefinitionFeed, error: unknown): void;
  /** Called after an update, if an earlier one has failed. */
  recovered(feed: DefinitionFeed): void;
}

/** Receives the events of a feed synchronously, in the same step in which readers see the change. */
export interface FeedSink {
  readonly reports: FeedReporter;
  readonly hasListeners: boolean;
  updated(feed: DefinitionFeed, update: CacheUpdate<object>): void;
  /**
   * Called when the first list has replaced the values of an offline snapshot. `isForeign`: the snapshot was of another
   * cluster.
   */
  caughtUp(feed: DefinitionFeed, isForeign: boolean): void;
  /** Called when the secrets of references cannot be refreshed, and with `undefined` when they can be again. */
  references(feed: DefinitionFeed, error: Error | undefined): void;
  interrupted(feed: DefinitionFeed): void;
  following(feed: DefinitionFeed): void;
}

/** Origin of restored values. */
export interface RestoredFrom {
  readonly clusterId: string;
  readonly asOf: number;
}

/** A valid document of a snapshot. */
export type RestoredValue = ConfigDocument & { readonly value: object };

/**
 * Follows the target of one definition: parses and validates its values, and updates the cache once for each revision.
 */
export class DefinitionFeed implements RangeListener {
  readonly parser: ValueParser<object>;
  readonly serializer: DtoSerializer<object>;
  readonly #closing = new AbortController();
  /** The received revisions that are not applied. */
  readonly parsing = new ParsingQueue({
    closing: this.#closing.signal,
    failed: (error) => {
      this.#sink.reports.failed(this, error);
    },
    recovered: () => {
      this.#sink.reports.recovered(this);
      this.#registration?.onDrain();
    },
  });
  readonly updates = new UpdateWaits(this.#closing.signal);
  readonly #sink: FeedSink;
  readonly #parser: ChangeParser;
  readonly #refresh: ReferenceRefresh | undefined;
  readonly #governs: (key: string) => boolean;
  readonly #index: Map<string, CacheEntry<object>>;
  #cache: ConfigCache<object>;
  #registration: ListenerRegistration | undefined;
  /** Revision of the last applied batch. */
  #applied = 0;
  #histories = 0;
  /** Origin of the current values, until the first list is applied. */
  #restored: RestoredFrom | undefined;
  #isListed = false;
  #interruptedAt: number | undefined;

  constructor(
    readonly definition: ResolvedConfigDefinition,
    governs: (key: string) => boolean,
    index: Map<string, CacheEntry<object>>,
    sink: FeedSink,
  ) {
    this.#governs = governs;
    this.#index = index;
    this.#sink = sink;
    // The documents of layers are merged and then parsed as JSON.
    this.parser = valueParserOf(definition.type, definition.layers ? { ...definition, codec: 'json' } : definition);
    this.#parser = new ChangeParser({
      parser: this.parser,
      governs,
      stripped: (key, names) => {
        sink.reports.stripped(key, names);
      },
      failed: (key, error) => {
        sink.reports.parserFailed(key, error);
      },
      unnamed: (escapedKey) => {
        sink.reports.unnamed(this, escapedKey);
      },
      unresolved: (write) => {
        this.#refresh?.unresolved(write);
      },
    });
    this.#refresh = this.#referenceRefresh();
    this.serializer = new DtoSerializer(this.parser);
    this.#cache = this.#emptyCache();
  }

  get cache(): ConfigCache<object> {
    return this.#cache;
  }

  /** Format of the documents in etcd. */
  get format(): DocumentFormat {
    return this.parser.format;
  }

  /** State of a key, as applications see it. */
  entry(key: string): ConfigEntry<object> {
    return this.#cache.entry(key);
  }

  /** Revision of the last write of a key in etcd, valid or not; 0 if the key is absent. */
  headRevision(key: string): number {
    return this.#cache.headRevision(key);
  }

  /** The documents that an offline snapshot contains. */
  documents(): ConfigDocument[] {
    return this.#cache.documents();
  }

  /** Parses the value of a key. */
  parseValue(_key: string, bytes: Buffer): ReturnType<ValueParser<object>['parse']> {
    return this.parser.parse(bytes);
  }

  /** Name for messages, such as `key "/app/db"`. */
  get subject(): string {
    return describeTarget(this.definition.target);
  }

  /** Identifies the target, also where `subject` is cut. */
  get identity(): string {
    return identityOf(this.definition.target);
  }

  get registration(): ListenerRegistration | undefined {
    return this.#registration;
  }

  /** The first key that is not UTF-8, escaped; `undefined` if there is none. Such keys are left out. */
  get unnamedKey(): string | undefined {
    return this.#parser.unnamedKey;
  }

  /** True once the first list of etcd is applied. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** Identity of the cluster that the current values come from; `undefined` if nothing was read. */
  get clusterId(): string | undefined {
    return this.#restored?.clusterId ?? this.#registration?.clusterId;
  }

  /**
   * Time at which the values were last known to be current, in milliseconds since 1970; `undefined` if nothing was
   * read.
   */
  get asOf(): number | undefined {
    if (!this.#isListed) return this.#restored?.asOf;
    return this.#interruptedAt ?? Date.now();
  }

  /** Revision of the last applied change or list. */
  get appliedRevision(): number {
    return this.#applied;
  }

  /** Number of times that the store of etcd was restored or replaced: earlier revisions are of another history. */
  get histories(): number {
    return this.#histories;
  }

  /** Readers see all changes up to this revision. */
  get visibleRevision(): number {
    return this.parsing.isBusy ? this.#applied : (this.#registration?.revision ?? 0);
  }

  /** Validates the default and makes it visible until the first list is applied. */
  async prepare(): Promise<readonly ConfigViolation[]> {
    const { default: value, name } = this.definition;
    if (value === undefined) return [];
    const result = await this.serializer.serialize(value, 'class');
    if (!result.ok) return result.violations;
    this.useFallback({ key: name, value: result.value, bytes: result.bytes });
    return [];
  }

  /** Makes a value visible while the key is absent, before any value is delivered. */
  protected useFallback(fallback: ConfigCacheOptions<object>['fallback']): void {
    this.#cache = this.#emptyCache(fallback);
  }

  /** Ends all waits; the values stay readable. */
  close(): void {
    this.#closing.abort();
    this.#refresh?.close();
    this.updates.wake();
  }

  registered(registration: ListenerRegistration): void {
    this.#registration = registration;
    this.#refresh?.start();
  }

  /** True while the secrets of references cannot be refreshed; `undefined` without references. */
  get areSecretsKept(): boolean | undefined {
    return this.#refresh?.isFailing;
  }

  /**
   * Restores the valid documents of a snapshot for keys without a good value.
   * @param keys - only these keys
   */
  async restore(documents: readonly ConfigDocument[], from: RestoredFrom, keys?: readonly string[]): Promise<void> {
    const governed = documents.filter(({ key }) => this.#governs(key) && (keys?.includes(key) ?? true));
    const results = await Promise.all(governed.map((document) => this.parseRestored(document)));
    const valid = results.flatMap((result) => result ?? []);
    if (!this.#isListed) this.#restored = from;
    this.#publish(this.#cache.restore(valid, this.#isListed));
  }

  /** Parses a document of a snapshot; resolves with `undefined` for one that is not valid. */
  protected async parseRestored(document: ConfigDocument): Promise<RestoredValue | undefined> {
    const result = await this.parser.parse(document.bytes);
    return result.ok ? { ...document, value: result.value } : undefined;
  }

  /** Resolves with true when readers see all changes up to `revision`, and with false after the limit or on close. */
  whenVisible(revision: number, timeoutMs: number): Promise<boolean> {
    return this.updates.until(() => this.visibleRevision >= revision, timeoutMs);
  }

  /** Resolves with true when the first list is applied, and with false after the limit or on close. */
  listedWithin(limitMs: number): Promise<boolean> {
    return this.updates.until(() => this.#isListed, limitMs);
  }

  /** False while a batch cannot be applied, so that the batches behind it do not fill the memory. */
  canAccept(): boolean {
    return !this.parsing.isFailing;
  }

  /** Parses a page while etcd reads the next one, so that the event loop is blocked only for a page at a time. */
  onPage(records: readonly KeyRecord[]): void {
    this.#parser.onPage(records);
  }

  deliver(batch: ChangeBatch, notice?: ResyncNotice): void {
    if (notice && notice.reason !== 'compacted') this.#histories += 1;
    this.deliverChanges(batch, this.#parser.parse(batch));
  }

  /** Parses a value again later, whose reference could not be resolved. */
  protected retryUnresolved(write: Write): void {
    this.#refresh?.unresolved(write);
  }

  /** Applies the changes of one revision when they are parsed, after all revisions before it. */
  protected deliverChanges(
    { revision, origin }: Pick<ChangeBatch, 'revision' | 'origin'>,
    changes: readonly Change[],
  ): void {
    this.parsing.push(changes, (parsed) => {
      this.#apply(revision, origin, parsed);
    });
  }

  interrupted(): void {
    this.#parser.discardPages();
    this.#interruptedAt ??= Date.now();
    this.#sink.interrupted(this);
  }

  following(): void {
    this.#interruptedAt = undefined;
    this.#sink.following(this);
  }

  #emptyCache(fallback?: ConfigCacheOptions<object>['fallback']): ConfigCache<object> {
    const documentOf: ConfigCacheOptions<object>['documentOf'] = ({ value, bytes }) =>
      this.parser.documentOf({ value: value as object | undefined, bytes });
    const { onDelete, type } = this.definition;
    const failed = (error: unknown): void => {
      this.#sink.reports.parserFailed(this.definition.name, error);
    };
    return new ConfigCache({ onDelete, type, index: this.#index, documentOf, failed, fallback });
  }

  #referenceRefresh(): ReferenceRefresh | undefined {
    const { references } = this.parser;
    return (
      references &&
      new ReferenceRefresh({
        references,
        parser: this.parser,
        cache: () => this.#cache,
        visibleRevision: () => this.visibleRevision,
        publish: this.#publish.bind(this),
        report: (error) => {
          this.#sink.references(this, error);
        },
      })
    );
  }

  #apply(revision: number, origin: WatchOrigin, changes: readonly ParsedChange<object>[]): void {
    const restored = this.#restored;
    const isForeign = restored !== undefined && restored.clusterId !== this.#registration?.clusterId;
    const batch = restored
      ? { ...this.#resyncBatch(changes, revision), isForeign }
      : { origin, changes, hasListeners: this.#sink.hasListeners };
    const update = this.#cache.apply(batch);
    this.#applied = revision;
    this.#restored = undefined;
    this.#isListed = true;
    this.#publish(update);
    if (restored) this.#sink.caughtUp(this, isForeign);
  }

  /** Turns the first list into the difference to the restored values: keys that it lacks were deleted. */
  #resyncBatch(listed: readonly ParsedChange<object>[], revision: number): ParsedBatch<object> {
    const keys = new Set(listed.map(({ key }) => key));
    const deleted = this.#cache.knownKeys().filter((key) => !keys.has(key));
    return {
      origin: 'resync',
      changes: [...listed, ...deleted.map((key) => ({ state: 'deleted' as const, key, revision }))],
    };
  }

  #publish(update: CacheUpdate<object>): void {
    this.#sink.updated(this, update);
    this.updates.wake();
  }
}
