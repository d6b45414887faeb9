import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import type { KeyRecord } from '../../backend/key-record.js';
import type { RangeListener, ListenerRegistration } from '../../watch/sharing/range-listener.js';
import { within } from '../../timing/time-limit.js';
import type { WatchOrigin } from '../../watch/watch-event.js';
import type { CacheUpdate } from './cache-update.js';
import { ChangeParser } from './change-parser.js';
import { ConfigCache, type ConfigCacheOptions, type ConfigDocument, type ParsedBatch } from './config-cache.js';
import { describeTarget, type ResolvedConfigDefinition } from '../definitions/config-definition.js';
import type { DocumentBytes } from '../../dto/formats/document-bytes.js';
import type { CacheEntry, ParsedChange } from './cache-entry.js';
import { DtoParser } from '../../dto/dto-parser.js';
import { DtoSerializer } from '../../dto/dto-serializer.js';

/** What a feed tells its store. Called synchronously, in the step in which readers see the change. */
export interface FeedSink {
  stepped(feed: DefinitionFeed, step: CacheUpdate<object>): void;
  /** Whether anybody listens to changes. */
  readonly isHeard: boolean;
  /** A value has properties that its class does not know; each set of names is told once. */
  stripped(key: string, paths: readonly string[]): void;
  /** Its first list replaced what an offline snapshot had given. `isForeign`: a snapshot of another cluster, as it turns out. */
  caughtUp(feed: DefinitionFeed, isForeign: boolean): void;
  interrupted(feed: DefinitionFeed): void;
  following(feed: DefinitionFeed): void;
}

/** What an offline snapshot says of where it comes from. */
export interface RestoredFrom {
  readonly clusterId: string;
  readonly asOf: number;
}

/** One definition, following its target: bytes become validated values, and the cache moves on in one step for each revision. */
export class DefinitionFeed implements RangeListener {
  readonly parser: DtoParser<object>;
  readonly serializer: DtoSerializer<object>;
  readonly #sink: FeedSink;
  readonly #parser: ChangeParser;
  readonly #governs: (key: string) => boolean;
  readonly #index: Map<string, CacheEntry<object>>;
  #cache: ConfigCache<object>;
  #registration: ListenerRegistration | undefined;
  /** Where a validator is asynchronous, revisions wait for the one before. */
  #parsing: Promise<void> | undefined;
  /** Revision of the last batch that readers see. */
  #applied = 0;
  #isClosed = false;
  /** What it shows comes from there, until the first list is in. */
  #restored: RestoredFrom | undefined;
  #isListed = false;
  #interruptedAt: number | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(
    readonly definition: ResolvedConfigDefinition,
    governs: (key: string) => boolean,
    index: Map<string, CacheEntry<object>>,
    sink: FeedSink,
  ) {
    this.#governs = governs;
    this.#index = index;
    this.#sink = sink;
    this.parser = new DtoParser(definition.type, definition);
    this.#parser = new ChangeParser({
      parser: this.parser,
      governs,
      stripped: (key, paths) => {
        sink.stripped(key, paths);
      },
    });
    this.serializer = new DtoSerializer(this.parser);
    this.#cache = this.#emptyCache();
  }

  get cache(): ConfigCache<object> {
    return this.#cache;
  }

  /** As a sentence calls it: `key "/app/db"`. */
  get subject(): string {
    return describeTarget(this.definition.target);
  }

  get registration(): ListenerRegistration | undefined {
    return this.#registration;
  }

  /** Whether readers see what etcd holds. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** Of the cluster that what it shows comes from; `undefined` when nothing was read. */
  get clusterId(): string | undefined {
    return this.#restored?.clusterId ?? this.#registration?.clusterId;
  }

  /** When what it shows was last known to be current, in milliseconds since 1970; `undefined` when nothing was read. */
  get asOf(): number | undefined {
    if (!this.#isListed) return this.#restored?.asOf;
    return this.#interruptedAt ?? Date.now();
  }

  /** Everything up to this revision is what readers see. */
  get visibleRevision(): number {
    return this.#parsing ? this.#applied : (this.#registration?.revision ?? 0);
  }

  /** Checks the default like any value and shows it until the first list is in. */
  async prepare(): Promise<readonly ConfigViolation[]> {
    const { default: value, name } = this.definition;
    if (value === undefined) return [];
    const result = await this.serializer.serialize(value);
    if (!result.ok) return result.violations;
    this.#cache = this.#emptyCache({ key: name, value: result.value, bytes: result.bytes });
    return [];
  }

  /** Nothing more will be shown: nobody waits any longer. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  registered(registration: ListenerRegistration): void {
    this.#registration = registration;
  }

  get isParsing(): boolean {
    return this.#parsing !== undefined;
  }

  /** Shows what passes the parser, beneath what etcd has said already. */
  async restore(documents: readonly ConfigDocument[], from: RestoredFrom): Promise<void> {
    const governed = documents.filter(({ key }) => this.#governs(key));
    const results = await Promise.all(governed.map(async ({ bytes }) => this.parser.parse(bytes)));
    const valid = governed.flatMap((document, index) => {
      const result = results[index];
      return result?.ok ? [{ ...document, value: result.value }] : [];
    });
    if (!this.#isListed) this.#restored = from;
    this.#stepped(this.#cache.restore(valid, this.#isListed));
  }

  /** Resolves when the revisions that are here have been parsed. */
  async parsed(): Promise<void> {
    while (this.#parsing) await this.#parsing;
  }

  /** Resolves with true when the revisions that are here have been parsed, with false after the limit. */
  async parsedWithin(limitMs: number): Promise<boolean> {
    return (
      (await within(
        this.parsed().then(() => true),
        limitMs,
      )) === true
    );
  }

  /** Resolves with true when readers see everything up to `revision`, with false after the limit or when it was closed. */
  async whenVisible(revision: number, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    while (this.visibleRevision < revision) {
      const left = until - performance.now();
      if (left <= 0 || this.#isClosed) return false;
      await this.moved(left);
    }
    return true;
  }

  /** Resolves at the next step, after the limit, or when aborted. */
  moved(withinMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      signal?.addEventListener('abort', done);
      this.#waiters.add(done);
    });
  }

  canAccept(): boolean {
    return true;
  }

  /** Parses while the member reads what is to come, and in steps of a page. */
  onPage(records: readonly KeyRecord[]): void {
    this.#parser.onPage(records);
  }

  deliver(batch: ChangeBatch): void {
    const { revision, origin } = batch;
    const changes = this.#parser.parse(batch);
    if (!this.#parsing && !changes.some((change) => change instanceof Promise)) {
      this.#apply(revision, origin, changes as ParsedChange<object>[]);
      return;
    }
    const before = this.#parsing;
    const parsing = Promise.all(changes.map((change) => Promise.resolve(change))).then(async (late) => {
      await before;
      if (this.#parsing === parsing) this.#parsing = undefined;
      this.#apply(revision, origin, late);
    });
    this.#parsing = parsing;
  }

  interrupted(): void {
    this.#parser.forget();
    this.#interruptedAt ??= Date.now();
    this.#sink.interrupted(this);
  }

  following(): void {
    this.#interruptedAt = undefined;
    this.#sink.following(this);
  }

  #emptyCache(fallback?: ConfigCacheOptions<object>['fallback']): ConfigCache<object> {
    const documentOf = (bytes: DocumentBytes): unknown => this.parser.documentOf(bytes);
    const { onDelete, type } = this.definition;
    return new ConfigCache({ onDelete, type, index: this.#index, documentOf, fallback });
  }

  #apply(revision: number, origin: WatchOrigin, changes: readonly ParsedChange<object>[]): void {
    this.#applied = revision;
    const restored = this.#restored;
    const isForeign = restored !== undefined && restored.clusterId !== this.#registration?.clusterId;
    const batch = restored
      ? { ...this.#caughtUp(changes, revision), isForeign }
      : { origin, changes, isHeard: this.#sink.isHeard };
    this.#restored = undefined;
    this.#isListed = true;
    const step = this.#cache.apply(batch);
    this.#stepped(step);
    if (restored) this.#sink.caughtUp(this, isForeign);
  }

  /** The first list as the difference to what was restored: what it lacks was deleted meanwhile. */
  #caughtUp(listed: readonly ParsedChange<object>[], revision: number): ParsedBatch<object> {
    const keys = new Set(listed.map(({ key }) => key));
    const gone = this.#cache.held().filter((key) => !keys.has(key));
    return {
      origin: 'resync',
      changes: [...listed, ...gone.map((key) => ({ state: 'deleted' as const, key, revision }))],
    };
  }

  #stepped(step: CacheUpdate<object>): void {
    this.#sink.stepped(this, step);
    this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiters]) done();
  }
}
