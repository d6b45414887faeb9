import type { TcpProxy } from '../../support/tcp-proxy.js';
import type { LinkFault, LinkTarget, MemberFault, MemberTarget } from './fault.js';
import type { LabCluster } from './lab-cluster.js';

/** Ends a fault. */
export type Heal = () => void | Promise<void>;

const NOTHING: Heal = () => undefined;

/** Injects faults into links and members. */
export class Injector {
  readonly #cluster: LabCluster;
  #bytes: number[] = [];

  constructor(cluster: LabCluster) {
    this.#cluster = cluster;
  }

  /** Starts counting the bytes that each member sends to the listeners. */
  mark(): void {
    this.#bytes = this.#cluster.proxies.map(({ bytesDown }) => bytesDown);
  }

  /** Index of the member that has sent most bytes to the listeners since the mark. */
  get servingMember(): number {
    const received = this.#cluster.proxies.map(({ bytesDown }, index) => bytesDown - (this.#bytes[index] ?? 0));
    return received.indexOf(Math.max(...received));
  }

  async inject(fault: LinkFault | MemberFault): Promise<Heal> {
    switch (fault.kind) {
      case 'cut':
      case 'cut inside a message':
      case 'refuse':
      case 'freeze':
      case 'slow link':
        return this.#breakLinks(fault);
      default:
        return this.#breakMember(fault);
    }
  }

  #breakLinks(fault: LinkFault): Heal {
    const heals = this.#links(fault.at).map((proxy) => breakLink(proxy, fault));
    return async () => {
      for (const heal of heals) await heal();
    };
  }

  async #breakMember(fault: MemberFault): Promise<Heal> {
    const cluster = this.#cluster;
    if (fault.kind === 'move leader') {
      // The leader may change before the request reaches it.
      await cluster.moveLeader().catch(() => undefined);
      return NOTHING;
    }
    const index = await this.#member(fault.at);
    const member = cluster.members[index];
    if (!member) throw new Error(`there is no member ${index}`);
    switch (fault.kind) {
      case 'kill':
        await member.kill();
        return () => member.start();
      case 'pause':
        member.pause();
        return () => {
          member.resume();
        };
      case 'cut off from quorum':
        cluster.isolate(index, fault.partition);
        return () => {
          cluster.rejoin();
        };
      case 'defragment':
        await cluster.direct[index]?.call('Maintenance', 'Defragment', {}, 60_000);
        return NOTHING;
    }
  }

  #links(at: LinkTarget): readonly TcpProxy[] {
    const { proxies } = this.#cluster;
    return at === 'all' ? proxies : proxies.slice(this.servingMember, this.servingMember + 1);
  }

  async #member(at: MemberTarget): Promise<number> {
    if (at === 'serving') return this.servingMember;
    const leader = await this.#cluster.leaderIndex();
    return at === 'leader' ? leader : (leader + 1) % this.#cluster.members.length;
  }
}

function breakLink(proxy: TcpProxy, fault: LinkFault): Heal {
  switch (fault.kind) {
    case 'cut':
      proxy.cut({ reset: fault.reset });
      return NOTHING;
    case 'cut inside a message':
      proxy.cutAfter(fault.bytes);
      return () => {
        proxy.cutAfter(Infinity);
      };
    case 'refuse':
      proxy.refuse();
      proxy.cut();
      return () => proxy.accept();
    case 'freeze':
      proxy.freeze(fault.direction);
      return () => {
        proxy.thaw();
      };
    case 'slow link':
      proxy.delay(fault.delayMs);
      proxy.throttle(fault.bytesPerSecond);
      return () => {
        proxy.delay(0);
        proxy.throttle(Infinity);
      };
  }
}
