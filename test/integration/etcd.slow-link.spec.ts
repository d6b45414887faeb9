import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../lib/backend/key-range.js';
import { ClientChoice } from '../../lib/etcd/connection/etcd-client.js';
import { EtcdConnection } from '../../lib/etcd/connection/etcd-connection.js';
import { EtcdKeyValue } from '../../lib/etcd/etcd-key-value.js';
import { EtcdListWatcher } from '../../lib/etcd/etcd-list-watcher.js';
import { ConnectionTimeoutError } from '../../lib/etcd-trigger.errors.js';
import { created, events, rangeResponse, ScriptedEtcd } from '../support/scripted-etcd.js';

const REQUEST_TIMEOUT_MS = 500;
const QUIET = KeyRange.of('/quiet/');
const WATCH = { fragment: false, mayPause: false };
/** About 40 kB, every 10 ms. */
const BUSY_EVENTS = Array.from({ length: 1_000 }, (_, index) => ({ key: `/busy/${index}`, revision: 11 }));

/** Answers each list later than the limit of a request, and each watch with events without end. */
const startSlow = (): Promise<ScriptedEtcd> =>
  ScriptedEtcd.start({
    range: () => sleep(REQUEST_TIMEOUT_MS + 100, rangeResponse([])),
    watch: (stream, { watchId }) => {
      stream.send(created(watchId));
      const timer = setInterval(() => {
        if (stream.isOver) clearInterval(timer);
        else stream.send(events(watchId, BUSY_EVENTS));
      }, 10);
    },
  });

function connect(server: ScriptedEtcd) {
  const { settings } = new ClientChoice({ hosts: server.endpoint });
  const connection = new EtcdConnection(settings, { requestTimeoutMs: REQUEST_TIMEOUT_MS });
  return {
    keyValue: new EtcdKeyValue(connection, ''),
    watcher: new EtcdListWatcher(connection, ''),
    [Symbol.dispose]: () => {
      connection.close();
    },
  };
}

describe('an answer that comes later than the limit of a request', () => {
  const signal = new AbortController().signal;

  it('is awaited while the link is busy, if a watch needs it to go on', async () => {
    using server = await startSlow();
    using client = connect(server);
    const busy = client.watcher.watch(KeyRange.of('/busy/'), 11, WATCH);
    await busy.created;
    busy.deliver(() => undefined);

    const list = client.watcher.list(QUIET, { signal });
    const comparison = busy.stampsAt(10, { linearizable: false });
    await expect(client.keyValue.get('/quiet/a')).rejects.toThrow(ConnectionTimeoutError);
    expect((await list).revision).toBe(10);
    expect((await comparison).stamps).toEqual([]);
    busy.cancel();
  });

  it('is not awaited while the link is quiet', async () => {
    using server = await startSlow();
    using client = connect(server);

    await expect(client.watcher.list(QUIET, { signal })).rejects.toThrow(ConnectionTimeoutError);
  });
});
