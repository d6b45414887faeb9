import type { Entry, History, SeenEvent } from './history.js';
import type { Verdict } from './verdict.js';

/**
 * A handler that works on several keys at once is promised order for each key only. This judges that order and gives back the history as it would
 * have been with one call at a time.
 */
export function inRevisionOrder(history: History, verdict: Verdict): Entry[] {
  const latest = new Map<string, number>();
  const sections: { head?: Entry; from: number; events: SeenEvent[] }[] = [{ from: 0, events: [] }];
  for (const entry of history) {
    if (entry.kind === 'event') {
      const { event } = entry;
      const section = sections.findLast(({ from }) => from <= event.revision || event.origin !== 'live') ?? sections[0];
      section?.events.push(event);
      if (event.revision < (latest.get(event.key) ?? 0)) {
        verdict.add('disordered', `revision ${event.revision} of "${event.key}" was handled after a later one`);
      }
      latest.set(event.key, event.revision);
    } else {
      if (entry.kind === 'loss' && entry.loss.kind === 'replaced') latest.clear();
      // What waits in the queue when a compaction is announced is older than what is announced.
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
