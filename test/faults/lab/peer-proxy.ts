import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { eventually } from '../../support/eventually.js';
import { freePorts } from '../../../lib/testing/etcd/free-ports.js';
import type { LoopbackConnection } from './socket-owner.js';

/**
 * `cut`: connections are closed and refused. `silent`: data is discarded without an error. `slow`: data is delayed by a
 * low bandwidth.
 */
export type Partition = 'cut' | 'silent' | 'slow';

/** Bandwidth of each slow connection: heartbeats arrive in time, replicated data does not. */
const SLOW_BYTES_PER_SECOND = 200_000;

/** Returns the index of the member that has opened a connection. */
export type MemberOf = (connection: LoopbackConnection) => number | undefined;

interface Link {
  readonly from: number | undefined;
  readonly sockets: readonly [Socket, Socket];
}

/** Proxy in front of a member's peer port. It knows which member opens a connection. */
export class PeerProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #partition: ((from: number | undefined) => Partition | undefined) | undefined;

  private constructor(
    readonly port: number,
    targetPort: number,
    memberOf: MemberOf,
  ) {
    this.#server = createServer({ noDelay: true }, (peer) => {
      const from = memberOf({ localPort: peer.remotePort ?? 0, remotePort: port });
      const partition = this.#partition?.(from);
      if (partition === 'cut') {
        peer.destroy();
        return;
      }
      const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
      const link: Link = { from, sockets: [peer, target] };
      this.#links.add(link);
      for (const [socket, other] of [
        [peer, target],
        [target, peer],
      ] as const) {
        socket.on('error', () => undefined);
        socket.once('close', () => {
          other.destroy();
          this.#links.delete(link);
        });
      }
      if (partition === 'slow') flowSlowly(link);
      else if (partition === undefined) flow(link);
    });
  }

  static async start(targetPort: number, memberOf: MemberOf): Promise<PeerProxy> {
    // Another process may have taken the port in the meantime.
    return eventually(async () => {
      const [port = 0] = await freePorts(1);
      const proxy = new PeerProxy(port, targetPort, memberOf);
      await once(proxy.#server.listen(port, '127.0.0.1'), 'listening');
      return proxy;
    });
  }

  /** Sets the partition of each member. It applies to open and to new connections. */
  partition(partition: (from: number | undefined) => Partition | undefined): void {
    this.#partition = partition;
    for (const link of this.#links) {
      const kind = partition(link.from);
      if (kind === 'cut') end(link);
      else if (kind !== undefined) stopFlow(link);
      if (kind === 'slow') flowSlowly(link);
    }
  }

  /** Ends all partitions. Silent and slow connections are closed, as real ones would have timed out. */
  heal(): void {
    const partition = this.#partition;
    this.#partition = undefined;
    for (const link of this.#links) if (partition?.(link.from) !== undefined) end(link);
  }

  stop(): void {
    this.#server.close();
    for (const link of this.#links) end(link);
  }
}

function flow({ sockets: [a, b] }: Link): void {
  a.pipe(b);
  b.pipe(a);
}

function flowSlowly({ sockets: [a, b] }: Link): void {
  a.pipe(delay()).pipe(b);
  b.pipe(delay()).pipe(a);
}

const delay = (): Transform =>
  new Transform({
    transform: (chunk: Buffer, _, done) => {
      setTimeout(done, (chunk.length / SLOW_BYTES_PER_SECOND) * 1_000, null, chunk);
    },
  });

function stopFlow({ sockets: [a, b] }: Link): void {
  for (const socket of [a, b]) {
    socket.unpipe();
    socket.pause();
  }
}

function end({ sockets }: Link): void {
  for (const socket of sockets) socket.destroy();
}
