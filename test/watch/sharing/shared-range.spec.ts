import { describe, expect, it } from 'vitest';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { type KeyRecord, recordsByRawKey } from '../../../lib/backend/key-record.js';
import type { ListWatcher } from '../../../lib/backend/list-watcher.js';
import { DeliveryFailures } from '../../../lib/watch/sharing/delivery-failures.js';
import { InterruptionLog } from '../../../lib/watch/sharing/interruption-log.js';
import { NeighbourLog } from '../../../lib/watch/sharing/neighbour-log.js';
import { SharedRange } from '../../../lib/watch/sharing/shared-range.js';
import { quiet } from '../../support/quiet-logger.js';

const never = new Promise<never>(() => undefined);

describe('SharedRange', () => {
  it('passes pages of the initial list only to listeners that want the initial events', async () => {
    const [a, b] = ['a', 'b'].map(recordOf) as [KeyRecord, KeyRecord];
    const source: ListWatcher = {
      list: async (_range, { onPage }) => {
        onPage?.([a]);
        onPage?.([b]);
        return Promise.resolve({ revision: 1, clusterId: '1', records: recordsByRawKey([a, b]) });
      },
      stamps: () => never,
      watch: () => ({
        created: never,
        ended: never,
        deliver: () => undefined,
        stampsAt: () => never,
        pause: () => undefined,
        resume: () => undefined,
        cancel: () => undefined,
      }),
    };
    const log = new InstanceLog(quiet, { serviceName: 'test', podName: 'test' });
    const interruptions = new InterruptionLog(log);
    const range = new SharedRange(source, KeyRange.of('/app/'), log, {
      paused: false,
      observer: undefined,
      interruptions,
      neighbours: new NeighbourLog(log, ''),
      failures: new DeliveryFailures(log, undefined),
    });
    const story: string[] = [];
    const listener = (name: string) => ({
      canAccept: () => true,
      onPage: (records: readonly KeyRecord[]) => story.push(`${name}: ${records.map(({ rawKey }) => rawKey).join()}`),
      deliver: ({ events }: { readonly events: readonly unknown[] }) =>
        story.push(`${name}: delivered ${events.length}`),
    });
    range.register(listener('first'), { initial: true });
    range.register(listener('late'), { initial: false });
    await range.whenListed({ what: 'watch', timeoutMs: 5_000, isFinal: () => true });

    expect(story).toEqual(['first: a', 'first: b', 'first: delivered 2']);
    range.close();
  });
});

function recordOf(rawKey: string): KeyRecord {
  return { rawKey, value: Buffer.from(rawKey), revision: 1, createRevision: 1, version: 1, lease: undefined };
}
