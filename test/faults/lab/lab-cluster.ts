import { EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { DirectMember, type Answer } from './direct-member.js';
import { PeerGate, type Separation } from './peer-gate.js';
import { ownerOf } from './socket-owner.js';

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
    readonly proxies: readonly TcpProxy[],
    readonly direct: readonly DirectMember[],
    readonly gates: readonly PeerGate[],
  ) {}

  static async start(version: string | undefined): Promise<LabCluster> {
    const gates: PeerGate[] = [];
    const started: { members?: readonly EtcdMember[] } = {};
    const memberAt = (port: number): number | undefined => {
      const members = started.members ?? [];
      const owner = ownerOf(
        port,
        members.map(({ pid }) => pid),
      );
      const index = members.findIndex(({ pid }) => pid === owner);
      return owner === undefined || index < 0 ? undefined : index;
    };
    const etcd = await EtcdTestCluster.start({
      size: 3,
      version,
      args: ARGS,
      peerUrls: async (index, listenUrl) => {
        gates[index]?.stop();
        const gate = await PeerGate.start(Number(new URL(listenUrl).port), memberAt);
        gates[index] = gate;
        return `http://127.0.0.1:${gate.port}`;
      },
    });
    started.members = etcd.members;
    const proxies = await Promise.all(etcd.members.map(({ clientPort }) => TcpProxy.start(clientPort)));
    const direct = etcd.members.map(({ endpoint }) => new DirectMember({ hosts: endpoint }));
    const cluster = new LabCluster(etcd, proxies, direct, gates);
    // Who connected before there were members to ask is not known: they connect anew.
    for (const gate of gates) gate.separate(() => 'cut');
    cluster.rejoin();
    await etcd.leader();
    return cluster;
  }

  get hosts(): string[] {
    return this.proxies.map(({ endpoint }) => endpoint);
  }

  get members(): readonly EtcdMember[] {
    return this.etcd.members;
  }

  async leaderIndex(): Promise<number> {
    return this.members.indexOf(await this.etcd.leader());
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
    for (const gate of this.gates) gate.stop();
  }
}
