import { secretsOf } from '../../dto/kept-document.js';
import type { ReferenceResolver } from '../../dto/references/reference-resolver.js';
import type { ValueParser } from '../../dto/value-parser.js';
import { exponentialBackoff } from '../../timing/backoff.js';
import { type CacheEntry, now, parsedPut, type Write } from './cache-entry.js';
import type { CacheUpdate } from './cache-update.js';
import type { ConfigCache } from './config-cache.js';

export interface ReferenceRefreshOptions {
  readonly references: ReferenceResolver;
  readonly parser: ValueParser<object>;
  readonly cache: () => ConfigCache<object>;
  /** All writes up to this revision are in the cache. */
  readonly visibleRevision: () => number;
  /** Makes an update visible, in the step in which the cache has changed. */
  readonly publish: (update: CacheUpdate<object>) => void;
  /** Called when the secrets cannot be refreshed any more, and with `undefined` when they can be again. */
  readonly report: (error: Error | undefined) => void;
}

/**
 * Refreshes the secrets of the references of one definition while their documents do not change, and parses documents
 * again that were rejected because a reference could not be resolved. The last good secret stays while its source fails.
 */
export class ReferenceRefresh {
  readonly #options: ReferenceRefreshOptions;
  /** Rejected writes whose references could not be resolved, by key. */
  readonly #unresolved = new Map<string, Write>();
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isClosed = false;
  #isFailing = false;
  #failures = 0;

  constructor(options: ReferenceRefreshOptions) {
    this.#options = options;
  }

  /** True while secrets cannot be refreshed. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  start(): void {
    this.#schedule();
  }

  /** Parses the value of a write again, later. */
  unresolved(write: Write): void {
    this.#unresolved.set(write.key, write);
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#options.references.close();
  }

  #schedule(): void {
    if (this.#isClosed || this.#isRunning) return;
    const { refreshMs } = this.#options.references;
    const isRetried = this.#isFailing || this.#unresolved.size > 0;
    const retryMs = exponentialBackoff(this.#failures + 1, { initialMs: MIN_RETRY_MS, maxMs: MAX_RETRY_MS });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), isRetried ? Math.min(refreshMs, retryMs) : refreshMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      this.#report(await this.#refresh());
    } catch (error) {
      this.#report(error as Error);
    }
    this.#isRunning = false;
    this.#schedule();
  }

  /** Returns the reason if secrets could not be refreshed. */
  async #refresh(): Promise<Error | undefined> {
    const { references, cache } = this.#options;
    const inUse = cache()
      .resolvedEntries()
      .flatMap(({ value }) => [...(secretsOf(value)?.keys() ?? [])]);
    const isComplete = await references.refresh(new Set(inUse));
    const isValid = await this.#parseAgain();
    await this.#parseUnresolved();
    if (!isComplete) return references.lastError;
    return isValid ? undefined : new TypeError('a new secret is not valid');
  }

  /** Parses the values whose secrets have changed. Returns false if one would become invalid. */
  async #parseAgain(): Promise<boolean> {
    const { references, cache, parser, publish } = this.#options;
    const outdated = cache()
      .resolvedEntries()
      .filter(({ value }) => !references.areCurrent(secretsOf(value) ?? new Map()));
    const replacements: { entry: CacheEntry<object>; value: object }[] = [];
    for (const entry of outdated) {
      const result = entry.bytes === undefined ? undefined : await parser.parse(entry.bytes);
      if (result?.ok) replacements.push({ entry, value: result.value });
    }
    if (this.#isClosed) return true;
    if (replacements.length > 0) publish(cache().refresh(replacements));
    return replacements.length === outdated.length;
  }

  async #parseUnresolved(): Promise<void> {
    const { cache, parser, publish, visibleRevision } = this.#options;
    for (const write of this.#unresolved.values()) {
      const { key, revision } = write;
      if (visibleRevision() < revision) continue;
      const isCurrent = (): boolean => !this.#isClosed && cache().headRevision(key) === revision;
      const result = isCurrent() ? await parser.parse(write.bytes) : undefined;
      if (result && !result.ok && result.isUnresolved) continue;
      if (this.#unresolved.get(key) === write) this.#unresolved.delete(key);
      if (!result || !isCurrent() || cache().entry(key).state !== 'invalid') continue;
      publish(cache().apply({ origin: 'live', changes: [parsedPut(write, result, parser.type, now())] }));
    }
  }

  #report(error: Error | undefined): void {
    const isRetried = error !== undefined || this.#unresolved.size > 0;
    this.#failures = isRetried ? this.#failures + 1 : 0;
    if (this.#isClosed || (error === undefined) === !this.#isFailing) return;
    this.#isFailing = error !== undefined;
    this.#options.report(error);
  }
}

const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
