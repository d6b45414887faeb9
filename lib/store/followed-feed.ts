import type { ListWatcher, StampList } from '../backend/list-watcher.js';
import { withAnySignal } from '../timing/any-signal.js';
import type { SharedRange } from '../watch/sharing/shared-range.js';
import type { DefinitionFeed } from './cache/definition-feed.js';

/** A feed and what it follows. */
export interface FollowedFeed {
  readonly feed: DefinitionFeed;
  /** True once etcd has answered. */
  readonly isListed: boolean;
  /** Stops the attempts to list until `resume`. */
  pause(): void;
  /** Starts to follow. */
  resume(): void;
  /** Resolves with the revision that etcd has now; `undefined` without an answer. Never rejects. */
  currentRevision(withinMs: number): Promise<number | undefined>;
  /** The range of the feed; `undefined` for a feed of several keys. */
  readonly watched?: SharedRange;
  /** Resolves with true if etcd confirms that the feed has received everything up to a revision. Never rejects. */
  hasCaughtUp(revision: number, withinMs: number): Promise<boolean>;
  close(): void;
}

/** A feed that follows the key or prefix of its definition. */
export class FollowedTarget implements FollowedFeed {
  readonly #source: ListWatcher;
  readonly watched: SharedRange;
  readonly #release: () => void;
  readonly #abort = new AbortController();

  constructor(
    readonly feed: DefinitionFeed,
    { source, watched, release }: { source: ListWatcher; watched: SharedRange; release: () => void },
  ) {
    this.#source = source;
    this.watched = watched;
    this.#release = release;
    feed.registered(watched.register(feed, { initial: true }));
  }

  get isListed(): boolean {
    return this.watched.cache !== undefined;
  }

  pause(): void {
    this.watched.pause();
  }

  resume(): void {
    this.watched.resume();
  }

  async currentRevision(withinMs: number): Promise<number | undefined> {
    return (await this.#stamps(withinMs))?.revision;
  }

  /** Compares an idle range with etcd, because its stream may report progress only after minutes. */
  async hasCaughtUp(revision: number, withinMs: number): Promise<boolean> {
    const current = await this.#stamps(withinMs);
    // Without an answer, the stream or the next comparison decides.
    return (
      current !== undefined && current.revision >= revision && this.watched.cache?.matches(current.stamps) === true
    );
  }

  close(): void {
    this.#abort.abort();
    this.feed.registration?.unregister();
    this.#release();
  }

  async #stamps(withinMs: number): Promise<StampList | undefined> {
    const limit = AbortSignal.timeout(Math.ceil(withinMs));
    try {
      return await withAnySignal([this.#abort.signal, limit], (signal) =>
        this.#source.stamps(this.watched.range, { signal }),
      );
    } catch {
      return undefined;
    }
  }
}

/** Interval of the comparisons with etcd while a revision is awaited, in milliseconds. */
const RECHECK_MS = 100;

/** Resolves with true when readers see all changes up to a revision, and with false after the limit or the abort. */
export async function whenVisible(
  followed: FollowedFeed,
  revision: number,
  { withinMs, signal }: { readonly withinMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const { feed } = followed;
  const until = performance.now() + withinMs;
  while (feed.visibleRevision < revision) {
    const left = until - performance.now();
    if (left <= 0 || signal.aborted) return false;
    if (await followed.hasCaughtUp(revision, left)) return feed.parsing.idleWithin(until - performance.now());
    await feed.updates.next(Math.min(left, RECHECK_MS));
  }
  return true;
}
