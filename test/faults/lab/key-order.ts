import type { Entry, History, SeenEvent } from './listener-history.js';
import type { CheckResult } from './check-result.js';

/**
 * For a handler that runs concurrently, only the order per key is guaranteed. This function checks that order and
 * returns the history sorted as if the handler had run one call at a time.
 */
export function inRevisionOrder(history: History, result: CheckResult): Entry[] {
  const latest = new Map<string, number>();
  const sections: { head?: Entry; from: number; events: SeenEvent[] }[] = [{ from: 0, events: [] }];
  for (const entry of history) {
    if (entry.kind === 'event') {
      const { event } = entry;
      const section = sections.findLast(({ from }) => from <= event.revision || event.origin !== 'live') ?? sections[0];
      section?.events.push(event);
      if (event.revision < (latest.get(event.key) ?? 0)) {
        result.add('out of order', `revision ${event.revision} of "${event.key}" was delivered after a later revision`);
      }
      latest.set(event.key, event.revision);
    } else {
      if (entry.kind === 'loss' && entry.loss.kind === 'replaced') latest.clear();
      // Events that are still queued when a compaction is announced are older than the notice.
      const from = entry.kind === 'notice' && entry.notice.reason === 'compacted' ? entry.notice.toRevision + 1 : 0;
      sections.push({ head: entry, from, events: [] });
    }
  }
  return sections.flatMap(({ head, events }) => [
    ...(head ? [head] : []),
    ...events.sort(byOriginAndRevision).map((event): Entry => ({ kind: 'event', event })),
  ]);
}

const RANK = { initial: 0, resync: 1, live: 2 };

const byOriginAndRevision = (a: SeenEvent, b: SeenEvent): number =>
  a.origin === b.origin ? (a.origin === 'live' ? a.revision - b.revision : 0) : RANK[a.origin] - RANK[b.origin];
