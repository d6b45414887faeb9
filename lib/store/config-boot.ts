import {
  type BootProblem,
  BootError,
  EtcdTriggerError,
  InvalidConfigError,
  WatchError,
} from '../etcd-trigger.errors.js';
import { bootProblem, type BootPolicy, bootWait } from '../watch/sharing/boot-policy.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import type { ConfigEntry } from './cache/cache-entry.js';
import { quoted } from '../foreign/foreign-text.js';
import { isStandardSchema } from '../dto/standard-schema.js';
import { typeName, valueName } from '../dto/value-type.js';

export interface ConfigBootOptions {
  readonly cluster: string;
  readonly boot: BootPolicy;
  /** Starts to follow the definitions, so that a missing configuration may arrive. */
  readonly follow: () => void;
  /**
   * Restores the values of these definitions from an offline snapshot; resolves with false without a usable snapshot.
   */
  readonly restore: (feeds: ReadonlySet<DefinitionFeed>) => Promise<boolean>;
  /** Restores only these keys, whose values are skipped, from an offline snapshot if it is usable. */
  readonly restoreKeys: (keysOf: ReadonlyMap<DefinitionFeed, readonly string[]>) => Promise<unknown>;
}

/** A boot problem and its definition. */
interface FeedProblem {
  readonly feed: DefinitionFeed;
  readonly problem: BootProblem;
}

/**
 * Waits until every definition has the configuration that the application needs to start, within the limit of the boot
 * policy. An offline snapshot may replace an etcd that does not answer.
 *
 * @returns the remaining problems; always empty unless the policy is `degraded`
 * @throws BootError naming all problems
 */
export async function bootFeeds(
  feeds: readonly DefinitionFeed[],
  options: ConfigBootOptions,
): Promise<readonly BootProblem[]> {
  const { cluster, boot, follow } = options;
  const until = performance.now() + boot.timeoutMs;
  let found = (await Promise.all(feeds.map((feed) => problemsOf(cluster, feed, boot, until)))).flat();
  // Listing has used the whole limit, so only problems of the content can still be solved.
  if (boot.policy === 'wait' && found.length > 0 && found.every(isOfContent)) {
    follow();
    for (let left = until - performance.now(); found.length > 0 && left > 0; left = until - performance.now()) {
      await nextUpdateOf(feeds, left);
      found = feeds.flatMap((feed) => contentProblemsOf(cluster, feed));
    }
  }
  const problems = (found.length > 0 ? await withoutRestored(found, options) : []).map(({ problem }) => problem);
  if (problems.length > 0 && boot.policy !== 'degraded') throw new BootError(problems);
  const restored = new Set(found.map(({ feed }) => feed));
  const skipping = feeds.filter((feed) => !restored.has(feed) && skippedKeysOf(feed).length > 0);
  if (skipping.length > 0) await options.restoreKeys(new Map(skipping.map((feed) => [feed, skippedKeysOf(feed)])));
  return problems;
}

/**
 * Returns the problems that a snapshot does not solve. A snapshot solves only problems of an etcd that does not answer:
 * an answer of etcd counts. With the policy `degraded` the snapshot is used for all definitions with problems, but the
 * start remains degraded.
 */
async function withoutRestored(
  problems: readonly FeedProblem[],
  { boot, restore }: ConfigBootOptions,
): Promise<readonly FeedProblem[]> {
  const isDegraded = boot.policy === 'degraded';
  if (!isDegraded && !problems.every(isUnanswered)) return problems;
  if (!(await restore(new Set(problems.map(({ feed }) => feed))))) return problems;
  const unsolved = problems.filter((problem) => !isUnanswered(problem) || !hasRequired(problem.feed));
  return isDegraded || unsolved.length === 0 ? unsolved : problems;
}

const isOfContent = ({ problem: { reason } }: FeedProblem): boolean => reason === 'missing' || reason === 'invalid';

const isUnanswered = ({ problem: { reason } }: FeedProblem): boolean =>
  reason === 'unreachable' || reason === 'timeout';

async function problemsOf(
  cluster: string,
  feed: DefinitionFeed,
  boot: BootPolicy,
  until: number,
): Promise<FeedProblem[]> {
  const { subject } = feed;
  try {
    await feed.registration?.whenListed({ what: `list ${subject}`, signal: undefined, ...bootWait(boot) });
  } catch (error) {
    const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
    return [{ feed, problem: bootProblem(cluster, subject, known) }];
  }
  if (await feed.parsing.idleWithin(until - performance.now())) {
    if (await feed.listedWithin(until - performance.now())) return contentProblemsOf(cluster, feed);
    const failed = `${subject}: the initial list was read, but could not be applied; the log says why`;
    return [{ feed, problem: { cluster, subject, reason: 'failed', message: failed } }];
  }
  const message = `${subject}: the validators or the codec of ${typeName(feed.definition.type)} did not finish within ${boot.timeoutMs} ms`;
  return [{ feed, problem: { cluster, subject, reason: 'failed', message } }];
}

async function nextUpdateOf(feeds: readonly DefinitionFeed[], withinMs: number): Promise<void> {
  const others = new AbortController();
  await Promise.race(feeds.map((feed) => feed.updates.next(withinMs, others.signal)));
  others.abort();
}

/** True if a required configuration exists and no value that must be valid is invalid. */
export const isComplete = (feed: LoadedFeed): boolean => hasRequired(feed) && failingKeysOf(feed).length === 0;

/** Returns the keys whose value is invalid and does not stop the start (`onInvalid: 'skip'`), sorted. */
export const skippedKeysOf = ({ cache, definition }: LoadedFeed): string[] =>
  definition.onInvalid === 'skip' ? cache.withoutGoodValue().sort() : [];

type LoadedFeed = Pick<DefinitionFeed, 'cache' | 'definition'>;

/** A required prefix without any valid key names its invalid keys as the reason. */
const failingKeysOf = (feed: LoadedFeed): string[] =>
  feed.definition.onInvalid === 'fail' || !hasRequired(feed) ? feed.cache.withoutGoodValue().sort() : [];

const hasRequired = ({ cache, definition }: LoadedFeed): boolean =>
  !definition.required || cache.knownKeys().some((key) => isUsable(cache.entry(key)));

/** A required definition has no `default`, so that its default can only be a complete override. */
const isUsable = ({ state, source, value }: ConfigEntry<object>): boolean =>
  state === 'valid' || (state === 'absent' && source === 'default' && value !== undefined);

/** Returns the invalid keys that stop a start, or the missing required configuration. */
function contentProblemsOf(cluster: string, feed: DefinitionFeed): FeedProblem[] {
  const { cache, definition, subject } = feed;
  const invalid = failingKeysOf(feed).map((key): FeedProblem => {
    const { violations, rejectedRevision } = cache.entry(key);
    const error = new InvalidConfigError(quoted(key), violations ?? [], { key, revision: rejectedRevision });
    return { feed, problem: { cluster, subject: key, reason: 'invalid', message: error.message, error } };
  });
  if (invalid.length > 0 || hasRequired(feed)) return invalid;
  const where = definition.layers ? `in its layers ${definition.layers.map(quoted).join(', ')}` : 'there';
  const { type } = definition;
  const written = isStandardSchema(type) ? valueName(type) : `value of the class ${typeName(type)}`;
  const message = `${subject} is required and missing: write a ${written} ${where}`;
  return [{ feed, problem: { cluster, subject: definition.name, reason: 'missing', message } }];
}
