import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ClientChoice, type ConnectionSettings } from '../../lib/etcd/connection/etcd-client.js';
import { EtcdConnection } from '../../lib/etcd/connection/etcd-connection.js';
import { EtcdListWatcher } from '../../lib/etcd/etcd-list-watcher.js';
import { CREATE_LIMIT_MS } from '../../lib/etcd/watch/watch-grpc-stream.js';
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
  override async token(): Promise<string | undefined> {
    await sleep(CREATE_LIMIT_MS + 300);
    return super.token();
  }
}

const settingsOf = (...hosts: string[]): ConnectionSettings => new ClientChoice({ hosts, auth: APP }).settings;

const connectTo = (...hosts: string[]): EtcdConnection =>
  new EtcdConnection(settingsOf(...hosts), { requestTimeoutMs: REQUEST_MS });

const watch = (connection: EtcdConnection, prefix: string): WatchStream =>
  new EtcdListWatcher(connection, '').watch(KeyRange.of(prefix), 1, { fragment: false, mayPause: false });

/** Returns the number of authentications that have started. */
const authentications = ({ etcd }: SecuredCluster): Promise<number | undefined> =>
  etcd.first.metric(
    'grpc_server_started_total{grpc_method="Authenticate",grpc_service="etcdserverpb.Auth",grpc_type="unary"}',
  );

describe('a watch that has to authenticate', () => {
  it('does not leave its member because authentication is slow', async () => {
    await using secured = await startSecured();
    using link = await TcpProxy.start(secured.etcd.first.clientPort);
    const connection = new SlowToAuthenticate(settingsOf(link.endpoint), { requestTimeoutMs: REQUEST_MS });
    const stream = watch(connection, '/allowed/');

    expect((await stream.created).revision).toBeGreaterThan(0);
    expect(link.accepted).toBe(1);
    stream.cancel();
    connection.close();
  });

  it('starts on another member if its own has no quorum and so cannot authenticate', async () => {
    const cluster = await LabCluster.start(undefined, 'secured');
    const [cutOff, ...others] = cluster.proxies as [TcpProxy, ...TcpProxy[]];
    cluster.isolate(0, 'silent');
    await eventually(async () => (await cluster.members[0]?.metric('etcd_server_has_leader')) === 0);
    for (const other of others) other.refuse();
    const { settings } = new ClientChoice(cluster.access);
    const connection = new EtcdConnection(settings, { requestTimeoutMs: REQUEST_MS });

    const stream = watch(connection, '/lab/');
    await eventually(() => cutOff.accepted === 1);
    for (const other of others) await other.accept();

    expect((await stream.created).revision).toBeGreaterThan(0);
    await eventually(() => cutOff.connections === 0);
    expect(others.map(({ connections }) => connections).toSorted()).toEqual([0, 1]);
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
      () => new EtcdConnection(settingsOf(...hosts), { requestTimeoutMs: SHORT_REQUEST_MS }),
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
    using otherLink = await TcpProxy.start(member.port);
    otherLink.refuse();
    const connection = connectTo(link.endpoint, otherLink.endpoint);
    const token = connection.token();
    await eventually(() => slow.pending === 1 && slow.statusRequests > 1);
    await otherLink.accept();

    link.drop();

    expect(await token).toBe('token');
    expect([slow.authentications, member.authentications]).toEqual([1, 1]);
    connection.close();
  });

  it('starts again when the only link has lost all data and has recovered', async () => {
    await using slow = await startSlowMember({ statusRequestsUntilToken: Infinity });
    using link = await TcpProxy.start(slow.port);
    const connection = connectTo(link.endpoint);
    const token = connection.token();
    await eventually(() => slow.pending === 1);
    const { accepted } = link;

    link.drop();
    await eventually(() => link.accepted > accepted);
    link.thaw();

    await eventually(() => slow.authentications === 2);
    connection.close();
    await expect(token).rejects.toThrow(ConnectionClosedError);
  });

  it.each([
    ['responds to', undefined],
    ['rejects', { code: status.UNIMPLEMENTED, details: 'unknown method Status' }],
  ])(
    'may last longer than a connection may be silent, as long as its member %s status requests',
    async (_, refusal) => {
      await using member = await startSlowMember({ statusRequestsUntilToken: 4, ...(refusal && { refusal }) });
      const connection = connectTo(member.endpoint);

      expect(await connection.token()).toBe('token');
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
    using otherLink = await TcpProxy.start(member.port);
    otherLink.refuse();
    const connection = connectTo(leaderless.endpoint, otherLink.endpoint);
    const token = connection.token();
    await eventually(() => leaderless.pending === 1);
    await otherLink.accept();

    expect(await token).toBe('token');
    expect([leaderless.authentications, member.authentications]).toEqual([1, 1]);
    await eventually(() => leaderless.pending === 0);
    connection.close();
  });

  it('ends immediately when the module closes', async () => {
    await using member = await startSlowMember({ statusRequestsUntilToken: Infinity });
    const connection = connectTo(member.endpoint);
    const token = connection.token();
    await eventually(() => member.pending === 1);

    connection.close();

    await expect(token).rejects.toThrow(ConnectionClosedError);
    await eventually(() => member.pending === 0);
  });
});
