import { setTimeout as sleep } from 'node:timers/promises';
import { type Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EtcdConnection } from '../../lib/etcd/connection/etcd-connection.js';
import { EtcdListWatcher } from '../../lib/etcd/etcd-list-watcher.js';
import { CONNECT_LIMIT_MS, type Member } from '../../lib/etcd/connection/member.js';
import { ConnectionClosedError } from '../../lib/etcd-trigger.errors.js';
import { KeyRange } from '../../lib/backend/key-range.js';
import type { WatchStream } from '../../lib/backend/list-watcher.js';
import { eventually } from '../support/eventually.js';
import { APP, type SecuredCluster, startSecured } from '../support/secured-cluster.js';
import { startSlowMember } from '../support/slow-member.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { LabCluster } from './lab/lab-cluster.js';

/** Long enough never to matter here. */
const REQUEST_MS = 60_000;
/** Far less than etcd needs to hash the passwords of all connections. */
const SHORT_REQUEST_MS = 100;
const CONNECTIONS = 30;

/** Authenticates successfully but slowly, like a busy cluster. */
class SlowToAuthenticate extends EtcdConnection {
  override async metadata(): Promise<Metadata> {
    await sleep(CONNECT_LIMIT_MS + 300);
    return super.metadata();
  }
}

const watch = (connection: EtcdConnection, prefix: string): WatchStream =>
  new EtcdListWatcher(connection, '').watch(KeyRange.of(prefix), 1, { fragment: false });

function preferFirst(hosts: string[]): EtcdConnection {
  const connection = new EtcdConnection({ hosts, auth: APP }, REQUEST_MS);
  const [first] = connection.members;
  if (first) connection.prefer(first);
  return connection;
}

/** Returns the number of authentications that have started. */
const authentications = ({ etcd }: SecuredCluster): Promise<number | undefined> =>
  etcd.first.metric(
    'grpc_server_started_total{grpc_method="Authenticate",grpc_service="etcdserverpb.Auth",grpc_type="unary"}',
  );

describe('a watch that has to authenticate', () => {
  it('does not leave its member because authentication is slow', async () => {
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

  it('starts on another member if its own has no quorum and so cannot authenticate', async () => {
    const cluster = await LabCluster.start(undefined, 'secured');
    const connection = new EtcdConnection(cluster.access, REQUEST_MS);
    const [cutOff, member] = [1, cluster.members[1]];
    cluster.isolate(cutOff, 'silent');
    await eventually(async () => (await member?.metric('etcd_server_has_leader')) === 0);
    connection.prefer(connection.members[cutOff] as Member);

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

describe('authenticating', () => {
  it('is not aborted by the request timeout, so that the cluster hashes each password only once', async () => {
    await using secured = await startSecured(['--bcrypt-cost=10']);
    const { hosts } = secured.etcd;
    const connections = Array.from(
      { length: CONNECTIONS },
      () => new EtcdConnection({ hosts, auth: APP }, SHORT_REQUEST_MS),
    );

    await Promise.all(
      connections.map((connection) =>
        eventually(async () => {
          const stream = watch(connection, '/allowed/');
          await stream.created;
          stream.cancel();
        }),
      ),
    );

    expect(await authentications(secured)).toBe(CONNECTIONS);
    for (const connection of connections) connection.close();
  });
});

describe.concurrent('authenticating over a connection that may be lost', () => {
  it('moves to another link when its own becomes silent, even after a long healthy period', async () => {
    await using slow = await startSlowMember({ statusRequestsUntilToken: Infinity });
    await using member = await startSlowMember({ statusRequestsUntilToken: 0 });
    using link = await TcpProxy.start(slow.port);
    const connection = preferFirst([link.endpoint, member.endpoint]);
    const metadata = connection.metadata();
    await eventually(() => slow.statusRequests > 1);

    link.drop();

    expect((await metadata).get('token')).toEqual(['token']);
    expect([slow.authentications, member.authentications]).toEqual([1, 1]);
    connection.close();
  });

  it('starts again when the only link has lost all data and has recovered', async () => {
    await using slow = await startSlowMember({ statusRequestsUntilToken: Infinity });
    using link = await TcpProxy.start(slow.port);
    const connection = preferFirst([link.endpoint]);
    const metadata = connection.metadata();
    await eventually(() => slow.pending === 1);
    const { accepted } = link;

    link.drop();
    await eventually(() => link.accepted > accepted);
    link.thaw();

    await eventually(() => slow.authentications === 2);
    connection.close();
    await expect(metadata).rejects.toThrow(ConnectionClosedError);
  });

  it.each([
    ['responds to', undefined],
    ['rejects', { code: status.UNIMPLEMENTED, details: 'unknown method Status' }],
  ])(
    'may last longer than a connection may be silent, as long as its member %s status requests',
    async (_, refusal) => {
      await using member = await startSlowMember({ statusRequestsUntilToken: 4, ...(refusal && { refusal }) });
      const connection = new EtcdConnection({ hosts: member.endpoint, auth: APP }, REQUEST_MS);

      const metadata = await connection.metadata();

      expect(metadata.get('token')).toEqual(['token']);
      expect(member.authentications).toBe(1);
      connection.close();
    },
  );

  it('moves to another member when its own has lost the leader', async () => {
    await using leaderless = await startSlowMember({
      statusRequestsUntilToken: Infinity,
      refusal: { code: status.UNAVAILABLE, details: 'etcdserver: no leader' },
    });
    await using member = await startSlowMember({ statusRequestsUntilToken: 0 });
    const connection = preferFirst([leaderless.endpoint, member.endpoint]);

    const metadata = await connection.metadata();

    expect(metadata.get('token')).toEqual(['token']);
    expect([leaderless.authentications, member.authentications]).toEqual([1, 1]);
    await eventually(() => leaderless.pending === 0);
    connection.close();
  });

  it('ends immediately when the module closes', async () => {
    await using member = await startSlowMember({ statusRequestsUntilToken: Infinity });
    const connection = new EtcdConnection({ hosts: member.endpoint, auth: APP }, REQUEST_MS);
    const metadata = connection.metadata();
    await eventually(() => member.pending === 1);

    connection.close();

    await expect(metadata).rejects.toThrow(ConnectionClosedError);
    await eventually(() => member.pending === 0);
  });
});
