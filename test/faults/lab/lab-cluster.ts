import type { IOptions } from 'etcd3';
import { EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { EdgeCaseProxy } from './edge-case-proxy.js';
import { DirectMember, type ResponseWithHeader } from './direct-member.js';
import { type MemberOf, PeerProxy, type Partition } from './peer-proxy.js';
import { SecuredAccess } from './secured-access.js';
import { ownerOf } from './socket-owner.js';

/** `secured`: TLS and a user with access to one prefix. `edge cases`: members that send rare but legal responses. */
export type LabEnvironment = 'plain' | 'secured' | 'edge cases';

const ARGS = [
  // Frequent enough that a short run also receives bookmarks.
  '--experimental-watch-progress-notify-interval=200ms',
  '--quota-backend-bytes=8000000000',
  // A member that was down for long catches up from a snapshot.
  '--snapshot-count=2000',
];

/**
 * Three real members. The application connects through proxies, the members connect to each other through peer proxies,
 * and the laboratory connects directly.
 */
export class LabCluster {
  private constructor(
    readonly etcd: EtcdTestCluster,
    readonly peerProxies: readonly PeerProxy[],
    readonly proxies: readonly TcpProxy[],
    readonly direct: readonly DirectMember[],
    readonly secured: SecuredAccess | undefined,
    private readonly stopEdgeCaseProxies: () => void,
  ) {}

  /** @param args additional flags for the members. They override the laboratory's defaults. */
  static async start(
    version: string | undefined,
    environment: LabEnvironment,
    args: readonly string[] = [],
  ): Promise<LabCluster> {
    const secured = environment === 'secured' ? await SecuredAccess.create() : undefined;
    const { etcd, peerProxies } = await startWithPeerProxies(version, secured, args);
    await secured?.enable(etcd.first.endpoint, '/lab/');
    const edgeCaseProxies =
      environment === 'edge cases' ? await Promise.all(etcd.endpoints.map((each) => EdgeCaseProxy.start(each))) : [];
    const ports = etcd.members.map(({ clientPort }, index) => edgeCaseProxies[index]?.port ?? clientPort);
    const proxies = await Promise.all(ports.map((port) => TcpProxy.start(port)));
    const direct = etcd.members.map(({ endpoint }) => new DirectMember({ hosts: endpoint, ...secured?.root }));
    return new LabCluster(etcd, peerProxies, proxies, direct, secured, () => {
      for (const proxy of edgeCaseProxies) proxy.stop();
    });
  }

  /** Client options for the application. */
  get access(): Pick<IOptions, 'hosts' | 'auth' | 'credentials'> {
    const hosts = this.proxies.map(({ endpoint }) => (this.secured ? endpoint.replace('http:', 'https:') : endpoint));
    return { hosts, ...this.secured?.app };
  }

  get members(): readonly EtcdMember[] {
    return this.etcd.members;
  }

  async leaderIndex(): Promise<number> {
    return this.members.indexOf(await this.etcd.leader());
  }

  /** Cuts all client connections and refuses new ones until the returned function is called. */
  cutOff(): () => Promise<void> {
    for (const proxy of this.proxies) {
      proxy.refuse();
      proxy.cut();
    }
    return async () => {
      for (const proxy of this.proxies) await proxy.accept();
    };
  }

  /** Partitions a member from the others. Clients can still reach it. */
  isolate(index: number, partition: Partition): void {
    this.peerProxies.forEach((peerProxy, to) => {
      peerProxy.partition((from) => (to === index || from === index ? partition : undefined));
    });
  }

  rejoin(): void {
    for (const peerProxy of this.peerProxies) peerProxy.heal();
  }

  async moveLeader(): Promise<void> {
    const leader = await this.leaderIndex();
    const next = this.direct[(leader + 1) % this.direct.length];
    const status = await next?.call<ResponseWithHeader>('Maintenance', 'Status', {});
    await this.direct[leader]?.call('Maintenance', 'MoveLeader', { targetID: status?.header.member_id });
  }

  /** Resolves when all unused tokens have expired on every member. */
  async waitForTokenExpiry(): Promise<void> {
    const { secured } = this;
    if (secured) await Promise.all(this.members.map(({ endpoint }) => secured.waitForTokenExpiry(endpoint)));
  }

  async renewCertificate(): Promise<void> {
    await this.secured?.renew(this.etcd.first.clientPort);
  }

  /** Returns the number of watches on all members. */
  async watchers(): Promise<number> {
    const counts = await Promise.all(
      this.members.map((member) => member.metric('etcd_debugging_mvcc_watcher_total').catch(() => 0)),
    );
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }

  async stop(): Promise<void> {
    for (const member of this.direct) member.close();
    for (const proxy of this.proxies) proxy.stop();
    await this.etcd.stop();
    this.stopEdgeCaseProxies();
    for (const peerProxy of this.peerProxies) peerProxy.stop();
    await this.secured?.remove();
  }
}

async function startWithPeerProxies(
  version: string | undefined,
  secured: SecuredAccess | undefined,
  args: readonly string[],
): Promise<{ readonly etcd: EtcdTestCluster; readonly peerProxies: readonly PeerProxy[] }> {
  const peerProxies: PeerProxy[] = [];
  let members: readonly EtcdMember[] = [];
  const memberOf: MemberOf = (connection) => {
    const pids = members.map(({ pid }) => pid);
    const owner = ownerOf(connection, pids);
    return owner === undefined ? undefined : pids.indexOf(owner);
  };
  const etcd = await EtcdTestCluster.start({
    size: 3,
    version,
    tls: secured?.tls,
    args: [...ARGS, ...(secured ? SecuredAccess.args : []), ...args],
    peerUrls: async (index, listenUrl) => {
      peerProxies[index]?.stop();
      const peerProxy = await PeerProxy.start(Number(new URL(listenUrl).port), memberOf);
      peerProxies[index] = peerProxy;
      return `http://127.0.0.1:${peerProxy.port}`;
    },
  });
  members = etcd.members;
  // The proxies cannot identify connections that were opened before the members were known, so the members reconnect.
  for (const peerProxy of peerProxies) peerProxy.partition(() => 'cut');
  for (const peerProxy of peerProxies) peerProxy.heal();
  await etcd.leader();
  return { etcd, peerProxies };
}
