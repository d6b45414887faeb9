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
  let problems = (await Promise.all(feeds.map((feed) => problemsOf(cluster, feed, boot)))).flat();
  if (boot.policy === 'wait' && problems.length > 0) {
    follow();
    for (let left = until - performance.now(); problems.length > 0 && left > 0; left = until - performance.now()) {
      await Promise.race(feeds.map((feed) => feed.moved(left)));
      problems = feeds.flatMap((feed) => contentProblemsOf(cluster, feed));
    }
  }
  if (problems.length > 0 && boot.policy !== 'degraded') throw new BootError(problems);
  return problems;
}

async function problemsOf(cluster: string, feed: DefinitionFeed, boot: BootPolicy): Promise<BootProblem[]> {
  try {
    await feed.seat?.whenListed({ what: `list ${feed.subject}`, signal: undefined, ...bootWait(boot) });
  } catch (error) {
    const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
    return [bootProblem(cluster, feed.subject, known)];
  }
  await feed.parsed();
  return contentProblemsOf(cluster, feed);
}

/** Whether what is required is there. */
export const hasWhatItNeeds = ({ cache, definition }: Pick<DefinitionFeed, 'cache' | 'definition'>): boolean =>
  !definition.required || cache.keys().some((key) => cache.entry(key).state === 'valid');

/** What is invalid or missing in what was read. */
function contentProblemsOf(cluster: string, { cache, definition, subject }: DefinitionFeed): BootProblem[] {
  const invalid = [...cache.held()].sort().flatMap((key) => {
    const { state, violations, rejectedRevision } = cache.entry(key);
    if (state !== 'invalid') return [];
    const error = new InvalidConfigError(`"${key}"`, violations ?? [], { key, revision: rejectedRevision });
    return [{ cluster, subject: key, reason: 'invalid' as const, message: error.message, error }];
  });
  if (invalid.length > 0 || hasWhatItNeeds({ cache, definition })) return invalid;
  const message = `${subject} is required and missing: write a ${className(definition.type)} there`;
  return [{ cluster, subject: definition.name, reason: 'missing', message }];
}
