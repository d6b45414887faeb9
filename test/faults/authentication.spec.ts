import { setTimeout as sleep } from 'node:timers/promises';
import type { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EtcdConnection } from '../../lib/etcd/etcd-connection.js';
import { EtcdListWatcher } from '../../lib/etcd/etcd-list-watcher.js';
import { CONNECT_LIMIT_MS } from '../../lib/etcd/member.js';
import { KeyRange } from '../../lib/watch/key-range.js';
import type { WatchStream } from '../../lib/watch/list-watcher.js';
import { eventually } from '../support/eventually.js';
import { APP, startSecured } from '../support/secured-cluster.js';
import { LabCluster } from './lab/lab-cluster.js';

const REQUEST_MS = 10_000;
/** Less than etcd takes to hash a password. */
const HASTY_MS = 150;

/** Users are authenticated, but a busy cluster takes its time for it. */
class SlowToAuthenticate extends EtcdConnection {
  override async metadata(): Promise<Metadata> {
    await sleep(CONNECT_LIMIT_MS + 300);
    return super.metadata();
  }
}

const watch = (connection: EtcdConnection, prefix: string): WatchStream =>
  new EtcdListWatcher(connection, '').watch(KeyRange.of(prefix), 1, { fragment: false });

describe('a watch that has to authenticate', () => {
  it('does not blame its member for the time that takes', async () => {
    await using secured = await startSecured();
    const [host = ''] = secured.etcd.hosts;
    const connection = new SlowToAuthenticate({ hosts: [host, host], auth: APP }, REQUEST_MS);
    const { preferred } = connection;
    const stream = watch(connection, '/allowed/');

    expect((await stream.created).revision).toBeGreaterThan(0);
    expect(connection.preferred).toBe(preferred);
    stream.cancel();
    connection.close();
  });

  it('has more and more patience with a cluster that is too busy for it', async () => {
    await using secured = await startSecured(['--bcrypt-cost=12']);
    const connection = new EtcdConnection({ hosts: secured.etcd.hosts, auth: APP }, HASTY_MS);

    const stream = await eventually(async () => {
      const attempt = watch(connection, '/allowed/');
      await attempt.created;
      return attempt;
    });

    stream.cancel();
    connection.close();
  });

  it('begins on another member where its own has no quorum, so that nobody can authenticate there', async () => {
    const cluster = await LabCluster.start(undefined, 'secured');
    const connection = new EtcdConnection(cluster.access, REQUEST_MS);
    const [cutOff, member] = [1, cluster.members[1]];
    cluster.isolate(cutOff, 'silent');
    await eventually(async () => (await member?.metric('etcd_server_has_leader')) === 0);
    while (connection.preferred !== connection.members[cutOff]) connection.avoid(connection.preferred);

    const stream = await eventually(async () => {
      const attempt = watch(connection, '/lab/');
      await attempt.created;
      return attempt;
    });

    expect(connection.preferred).not.toBe(connection.members[cutOff]);
    stream.cancel();
    connection.close();
    await cluster.stop();
  });
});
