import type { IOptions } from 'etcd3';
import { EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { AwkwardMember } from './awkward-member.js';
import { DirectMember, type Answer } from './direct-member.js';
import { type MemberOf, PeerGate, type Separation } from './peer-gate.js';
import { SecuredAccess } from './secured-access.js';
import { ownerOf } from './socket-owner.js';

/** `secured`: TLS, and a user with one prefix. `awkward`: members that make use of what the protocol leaves them. */
export type LabEnvironment = 'plain' | 'secured' | 'awkward';

const ARGS = [
  // Often enough to be met in a short run, so that bookmarks are tried too.
  '--experimental-watch-progress-notify-interval=200ms',
  '--quota-backend-bytes=8000000000',
  // A member that was away for long is caught up with by a snapshot.
  '--snapshot-count=2000',
];

/** Three real members. Clients reach each through a proxy, the members reach each other through gates, and the laboratory reaches them directly. */
export class LabCluster {
  private constructor(
    readonly etcd: EtcdTestCluster,
    readonly gates: readonly PeerGate[],
    readonly proxies: readonly TcpProxy[],
    readonly direct: readonly DirectMember[],
    readonly secured: SecuredAccess | undefined,
    private readonly stopFronts: () => void,
  ) {}

  /** `args`: further flags for the members; they win over those of the laboratory. */
  static async start(
    version: string | undefined,
    environment: LabEnvironment,
    args: readonly string[] = [],
  ): Promise<LabCluster> {
    const secured = environment === 'secured' ? await SecuredAccess.create() : undefined;
    const { etcd, gates } = await startGated(version, secured, args);
    await secured?.enable(etcd.first.endpoint, '/lab/');
    const fronts =
      environment === 'awkward' ? await Promise.all(etcd.endpoints.map((each) => AwkwardMember.start(each))) : [];
    const ports = etcd.members.map(({ clientPort }, index) => fronts[index]?.port ?? clientPort);
    const proxies = await Promise.all(ports.map((port) => TcpProxy.start(port)));
    const direct = etcd.members.map(({ endpoint }) => new DirectMember({ hosts: endpoint, ...secured?.root }));
    return new LabCluster(etcd, gates, proxies, direct, secured, () => {
      for (const front of fronts) front.stop();
    });
  }

  /** How the application gets in. */
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

  /** Nobody is connected and nobody gets in until what is returned is called. */
  cutOff(): () => Promise<void> {
    for (const proxy of this.proxies) {
      proxy.refuse();
      proxy.cut();
    }
    return async () => {
      for (const proxy of this.proxies) await proxy.accept();
    };
  }

  /** Neither it nor the others hear of each other; clients still reach it. */
  isolate(index: number, separation: Separation): void {
    this.gates.forEach((gate, to) => {
      gate.separate((from) => (to === index || from === index ? separation : undefined));
    });
  }

  rejoin(): void {
    for (const gate of this.gates) gate.heal();
  }

  async moveLeader(): Promise<void> {
    const leader = await this.leaderIndex();
    const next = this.direct[(leader + 1) % this.direct.length];
    const status = await next?.call<Answer>('Maintenance', 'Status', {});
    await this.direct[leader]?.call('Maintenance', 'MoveLeader', { targetID: status?.header.member_id });
  }

  /** Resolves when no token is known any more that was not used meanwhile. */
  async tokensExpired(): Promise<void> {
    const { secured } = this;
    if (secured) await Promise.all(this.members.map(({ endpoint }) => secured.tokensExpired(endpoint)));
  }

  async renewCertificate(): Promise<void> {
    await this.secured?.renew(this.etcd.first.clientPort);
  }

  /** Watches that the members serve now. */
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
    this.stopFronts();
    for (const gate of this.gates) gate.stop();
    await this.secured?.remove();
  }
}

async function startGated(
  version: string | undefined,
  secured: SecuredAccess | undefined,
  args: readonly string[],
): Promise<{ readonly etcd: EtcdTestCluster; readonly gates: readonly PeerGate[] }> {
  const gates: PeerGate[] = [];
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
      gates[index]?.stop();
      const gate = await PeerGate.start(Number(new URL(listenUrl).port), memberOf);
      gates[index] = gate;
      return `http://127.0.0.1:${gate.port}`;
    },
  });
  members = etcd.members;
  // Who connected before there were members to ask is not known: they connect anew.
  for (const gate of gates) gate.separate(() => 'cut');
  for (const gate of gates) gate.heal();
  await etcd.leader();
  return { etcd, gates };
}
