import {
  type BootProblem,
  BootError,
  EtcdTriggerError,
  InvalidConfigError,
  WatchError,
} from '../etcd-trigger.errors.js';
import { bootProblem, type BootPolicy, bootWait } from '../watch/sharing/boot-policy.js';
import { className } from '../dto/dto-type.js';
import type { DefinitionFeed } from './cache/definition-feed.js';

/** What a boot needs to know and to do. */
export interface ConfigBootOptions {
  readonly cluster: string;
  readonly boot: BootPolicy;
  /** Lets the definitions be followed, while what is missing is waited for. */
  readonly follow: () => void;
  /** Shows what an offline snapshot holds of these definitions; resolves with false when there is none that can be used. */
  readonly restore: (feeds: ReadonlySet<DefinitionFeed>) => Promise<boolean>;
}

/** What is wrong with one definition. */
interface Fault {
  readonly feed: DefinitionFeed;
  readonly problem: BootProblem;
}

/**
 * Waits until every definition has what the application needs to start, within the boot policy's limit; an offline snapshot may stand in for an etcd
 * that does not answer.
 *
 * @returns what is missing, invalid or unreachable; only with the policy `degraded` is there anything
 * @throws BootError naming all of it
 */
export async function bootFeeds(
  feeds: readonly DefinitionFeed[],
  parts: ConfigBootOptions,
): Promise<readonly BootProblem[]> {
  const { cluster, boot, follow } = parts;
  const until = performance.now() + boot.timeoutMs;
  let faults = (await Promise.all(feeds.map((feed) => faultsOf(cluster, feed, boot, until)))).flat();
  // A list is waited for until the limit: what was not listed by now never will be.
  if (boot.policy === 'wait' && faults.length > 0 && faults.every(isOfContent)) {
    follow();
    for (let left = until - performance.now(); faults.length > 0 && left > 0; left = until - performance.now()) {
      await nextStepOf(feeds, left);
      faults = feeds.flatMap((feed) => contentFaultsOf(cluster, feed));
    }
  }
  const problems = (faults.length > 0 ? await bridged(faults, parts) : []).map(({ problem }) => problem);
  if (problems.length > 0 && boot.policy !== 'degraded') throw new BootError(problems);
  return problems;
}

/**
 * What a snapshot leaves of the faults. It stands in for silence only: a certain answer of etcd stays one. A degraded start shows its values there,
 * too, but is no less degraded.
 */
async function bridged(faults: readonly Fault[], { boot, restore }: ConfigBootOptions): Promise<readonly Fault[]> {
  const isDegraded = boot.policy === 'degraded';
  if (!isDegraded && !faults.every(isSilence)) return faults;
  if (!(await restore(new Set(faults.map(({ feed }) => feed))))) return faults;
  const left = faults.filter((fault) => !isSilence(fault) || !hasWhatItNeeds(fault.feed));
  return isDegraded || left.length === 0 ? left : faults;
}

const isOfContent = ({ problem: { reason } }: Fault): boolean => reason === 'missing' || reason === 'invalid';

const isSilence = ({ problem: { reason } }: Fault): boolean => reason === 'unreachable' || reason === 'timeout';

async function faultsOf(cluster: string, feed: DefinitionFeed, boot: BootPolicy, until: number): Promise<Fault[]> {
  const { subject } = feed;
  try {
    await feed.registration?.whenListed({ what: `list ${subject}`, signal: undefined, ...bootWait(boot) });
  } catch (error) {
    const known = error instanceof EtcdTriggerError ? error : new WatchError('failed unexpectedly', { cause: error });
    return [{ feed, problem: bootProblem(cluster, subject, known) }];
  }
  if (await feed.parsedWithin(until - performance.now())) return contentFaultsOf(cluster, feed);
  const message = `${subject}: the validators of ${className(feed.definition.type)} did not answer within ${boot.timeoutMs} ms`;
  return [{ feed, problem: { cluster, subject, reason: 'failed', message } }];
}

async function nextStepOf(feeds: readonly DefinitionFeed[], withinMs: number): Promise<void> {
  const others = new AbortController();
  await Promise.race(feeds.map((feed) => feed.moved(withinMs, others.signal)));
  others.abort();
}

/** Whether nothing of what was read would keep an application from starting. */
export const isComplete = (feed: Pick<DefinitionFeed, 'cache' | 'definition'>): boolean =>
  hasWhatItNeeds(feed) && feed.cache.withoutGoodValue().length === 0;

/** Whether what is required is there. */
const hasWhatItNeeds = ({ cache, definition }: Pick<DefinitionFeed, 'cache' | 'definition'>): boolean =>
  !definition.required || cache.held().some((key) => cache.entry(key).state === 'valid');

/** What is invalid or missing in what was read. */
function contentFaultsOf(cluster: string, feed: DefinitionFeed): Fault[] {
  const { cache, definition, subject } = feed;
  const invalid = cache
    .withoutGoodValue()
    .sort()
    .map((key): Fault => {
      const { violations, rejectedRevision } = cache.entry(key);
      const error = new InvalidConfigError(`"${key}"`, violations ?? [], { key, revision: rejectedRevision });
      return { feed, problem: { cluster, subject: key, reason: 'invalid', message: error.message, error } };
    });
  if (invalid.length > 0 || hasWhatItNeeds(feed)) return invalid;
  const message = `${subject} is required and missing: write a ${className(definition.type)} there`;
  return [{ feed, problem: { cluster, subject: definition.name, reason: 'missing', message } }];
}
