import {
  type BootProblem,
  BootError,
  EtcdTriggerError,
  InvalidConfigError,
  WatchError,
} from '../etcd-trigger.errors.js';
import { bootProblem, type BootPolicy, bootWait } from '../watch/boot-policy.js';
import { className } from '../dto/dto-type.js';
import type { DefinitionFeed } from './definition-feed.js';

/**
 * Waits until every definition has what the application needs to start, within the boot policy's limit.
 *
 * @returns what is missing, invalid or unreachable; only with the policy `degraded` is there anything
 * @throws BootError naming all of it
 */
export async function bootFeeds(
  cluster: string,
  feeds: readonly DefinitionFeed[],
  boot: BootPolicy,
  follow: () => void,
): Promise<readonly BootProblem[]> {
  const until = performance.now() + boot.timeoutMs;
  let problems = (await Promise.all(feeds.map((feed) => problemsOf(cluster, feed, boot, until)))).flat();
  if (boot.policy === 'wait' && problems.length > 0) {
    follow();
    for (let left = until - performance.now(); problems.length > 0 && left > 0; left = until - performance.now()) {
      await nextStepOf(feeds, left);
      problems = feeds.flatMap((feed) => contentProblemsOf(cluster, feed));
    }
  }
  if (problems.length > 0 && boot.policy !== 'degraded') throw new BootError(problems);
  return problems;
}

async function problemsOf(
  cluster: string,
  feed: DefinitionFeed,
  boot: BootPolicy,
  until: number,
): Promise<BootProblem[]> {
  const { subject } = feed;
  try {
    await feed.seat?.whenListed({ what: `list ${subject}`, signal: undefined, ...bootWait(boot) });
  } catch (error) {
    const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
    return [bootProblem(cluster, subject, known)];
  }
  if (await feed.parsedWithin(until - performance.now())) return contentProblemsOf(cluster, feed);
  const message = `${subject}: the validators of ${className(feed.definition.type)} did not answer within ${boot.timeoutMs} ms`;
  return [{ cluster, subject, reason: 'timeout', message }];
}

async function nextStepOf(feeds: readonly DefinitionFeed[], withinMs: number): Promise<void> {
  const others = new AbortController();
  await Promise.race(feeds.map((feed) => feed.moved(withinMs, others.signal)));
  others.abort();
}

/** Whether nothing of what was read would keep an application from starting. */
export const isComplete = (feed: Pick<DefinitionFeed, 'cache' | 'definition'>): boolean =>
  hasWhatItNeeds(feed) && !feed.cache.held().some((key) => lacksGoodValue(feed, key));

/** Whether what is required is there. */
const hasWhatItNeeds = ({ cache, definition }: Pick<DefinitionFeed, 'cache' | 'definition'>): boolean =>
  !definition.required || cache.held().some((key) => cache.entry(key).state === 'valid');

/** What etcd holds was refused, and etcd has not given anything better before. */
function lacksGoodValue({ cache }: Pick<DefinitionFeed, 'cache'>, key: string): boolean {
  const { state, value, source } = cache.entry(key);
  return state === 'invalid' && !(value !== undefined && source === 'etcd');
}

/** What is invalid or missing in what was read. */
function contentProblemsOf(cluster: string, feed: DefinitionFeed): BootProblem[] {
  const { cache, definition, subject } = feed;
  const invalid = cache
    .held()
    .filter((key) => lacksGoodValue(feed, key))
    .sort()
    .map((key): BootProblem => {
      const { violations, rejectedRevision } = cache.entry(key);
      const error = new InvalidConfigError(`"${key}"`, violations ?? [], { key, revision: rejectedRevision });
      return { cluster, subject: key, reason: 'invalid', message: error.message, error };
    });
  if (invalid.length > 0 || hasWhatItNeeds(feed)) return invalid;
  const message = `${subject} is required and missing: write a ${className(definition.type)} there`;
  return [{ cluster, subject: definition.name, reason: 'missing', message }];
}
