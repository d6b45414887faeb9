import { EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { ClientChoice, type EtcdClientOptions } from '../../lib/etcd/connection/etcd-client.js';
import { EtcdConnection } from '../../lib/etcd/connection/etcd-connection.js';
import { EtcdListWatcher } from '../../lib/etcd/etcd-list-watcher.js';
import { KeyRange } from '../../lib/backend/key-range.js';
import type { WatchStream } from '../../lib/backend/list-watcher.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { LabCluster } from './lab/lab-cluster.js';
import { lead } from './recovery/members.js';

const REQUEST_MS = 5_000;
/** etcd ends streams on a member without a leader after three election timeouts. The library leaves it sooner. */
const SLOW_ELECTIONS = ['--heartbeat-interval=100', '--election-timeout=1500'];
/** Long enough that etcd ends no streams here. */
const VERY_SLOW_ELECTIONS = ['--pre-vote=true', '--heartbeat-interval=100', '--election-timeout=4000'];

/** Streams of one application on the same member. */
class Streams {
  readonly #connection: EtcdConnection;
  readonly #streams: WatchStream[];
  readonly endReasons: string[] = [];

  private constructor(connection: EtcdConnection, streams: WatchStream[]) {
    this.#connection = connection;
    this.#streams = streams;
    for (const { ended } of streams) void ended.then(({ message }) => this.endReasons.push(message));
  }

  static async open(client: EtcdClientOptions, count = 1): Promise<Streams> {
    const connection = new EtcdConnection(new ClientChoice(client).settings, { requestTimeoutMs: REQUEST_MS });
    const watcher = new EtcdListWatcher(connection, '');
    const streams = Array.from({ length: count }, (_, index) =>
      watcher.watch(KeyRange.of(`/lab/${index}`), 1, { fragment: false, mayPause: false }),
    );
    await Promise.all(streams.map(({ created }) => created));
    return new Streams(connection, streams);
  }

  cancel(): void {
    for (const stream of this.#streams) stream.cancel();
  }

  [Symbol.dispose](): void {
    this.cancel();
    this.#connection.close();
  }
}

/** Number of unary requests to a member, including rejected ones. Here, these are only status requests. */
const statusRequests = (member: EtcdMember): Promise<number> => requests(member, 'unary');

/** Number of attempts to open a stream on a member. */
const attempts = (member: EtcdMember): Promise<number> => requests(member, 'stream');

async function requests(member: EtcdMember, type: 'unary' | 'stream'): Promise<number> {
  return (await member.metric(`etcd_server_client_requests_total{client_api_version="unknown",type="${type}"}`)) ?? 0;
}

async function nextStatusRequest(member: EtcdMember): Promise<void> {
  const before = await statusRequests(member);
  await eventually(async () => (await statusRequests(member)) > before);
}

const lacksLeader = async (member: EtcdMember): Promise<boolean> =>
  (await member.metric('etcd_server_has_leader')) === 0;

describe.concurrent('a watch', () => {
  it('leaves a member that reports a lost quorum, but not one that finds a leader soon', async () => {
    // The user may read only one prefix.
    const cluster = await LabCluster.start('3.4', 'secured', VERY_SLOW_ELECTIONS);
    const served = ((await cluster.leaderIndex()) + 1) % 3;
    const member = cluster.members[served] as EtcdMember;
    const link = cluster.proxies[served] as TcpProxy;
    const otherLinks = cluster.proxies.filter((each) => each !== link);
    for (const other of otherLinks) other.refuse();
    using streams = await Streams.open(cluster.access, 3);
    for (const other of otherLinks) await other.accept();

    cluster.isolate(served, 'silent');
    await eventually(() => lacksLeader(member));
    await nextStatusRequest(member);
    cluster.rejoin();
    await eventually(async () => !(await lacksLeader(member)));
    await nextStatusRequest(member);
    await nextStatusRequest(member);
    expect(streams.endReasons).toEqual([]);

    cluster.isolate(served, 'silent');
    await eventually(() => streams.endReasons.length === 3);
    // The application ended the connection, and etcd did not end the streams.
    expect(new Set(streams.endReasons)).toEqual(
      new Set([`the connection to ${link.endpoint.replace('http://', '')} was lost: the session was closed`]),
    );
    expect(otherLinks.map(({ connections }) => connections).toSorted()).toEqual([0, 1]);
    expect(link.accepted).toBe(1);
    await cluster.stop();
  });

  it('keeps its member while the leader is moved or dies, and sends one status request for all streams', async () => {
    await using cluster = await EtcdTestCluster.start({ size: 3 });
    const [crowded, quiet, third] = cluster.members as [EtcdMember, EtcdMember, EtcdMember];
    using many = await Streams.open({ hosts: crowded.endpoint }, 500);
    using one = await Streams.open({ hosts: quiet.endpoint });

    for (const leader of [third, crowded, quiet]) await lead(cluster, leader);
    for (let deaths = 0; deaths < 3; deaths += 1) {
      await lead(cluster, third);
      await third.kill();
      await cluster.leader();
      await third.start();
    }
    expect([...many.endReasons, ...one.endReasons]).toEqual([]);

    const requestsBefore = [await statusRequests(crowded), await statusRequests(quiet)] as const;
    await eventually(async () => (await statusRequests(quiet)) >= requestsBefore[1] + 3);
    expect((await statusRequests(crowded)) - requestsBefore[0]).toBeLessThan(10);

    many.cancel();
    await nextStatusRequest(quiet);
    const last = await statusRequests(crowded);
    await nextStatusRequest(quiet);
    await nextStatusRequest(quiet);
    expect(await statusRequests(crowded)).toBe(last);
  });

  it('stays on a member without a leader if there is no other, logs it once, and follows again after the election', async () => {
    await using cluster = await EtcdTestCluster.start({ size: 3, args: SLOW_ELECTIONS });
    const [member, ...others] = cluster.members as [EtcdMember, ...EtcdMember[]];
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts: member.endpoint, logger });
    const recorder = new Recorder();
    const subscription = await app.watcher.watch('/app/', recorder.onEvent);

    await Promise.all(others.map((other) => other.kill()));
    await eventually(() => subscription.status === 'interrupted');
    const before = await attempts(member);
    await eventually(async () => (await attempts(member)) >= before + 3);
    await eventually(() => logger.text.includes('interrupted, retrying'));
    await Promise.all(others.map((other) => other.start()));
    await eventually(() => subscription.status === 'following');
    await app.watcher.put('/app/again', 'x');
    await eventually(() => recorder.state['/app/again'] === 'x');

    const lines = logger.lines.filter(({ text }) => text.includes('prefix "/app/"'));
    expect(lines.map(({ text }) => text.replace(/ ([([]|\d).*/, ''))).toEqual([
      'prefix "/app/": interrupted, retrying',
      'prefix "/app/": following again after',
    ]);
  });
});
