import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { eventually } from '../../support/eventually.js';
import { freePorts } from '../../../lib/testing/etcd/free-ports.js';
import type { LoopbackConnection } from './socket-owner.js';

/** `cut`: connections break and are refused. `silent`: whatever is sent disappears, and nothing says so. `slow`: it arrives, later and later. */
export type Separation = 'cut' | 'silent' | 'slow';

/** Of a slow link, each connection: heartbeats are in time, what is replicated is not. */
const SLOW_BYTES_PER_SECOND = 200_000;

/** The number of the member that has opened a connection. */
export type MemberOf = (connection: LoopbackConnection) => number | undefined;

interface Link {
  readonly from: number | undefined;
  readonly sockets: readonly [Socket, Socket];
}

/** Stands before the port at which one member listens for the others, and knows which of them connects. */
export class PeerGate {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #separation: ((from: number | undefined) => Separation | undefined) | undefined;

  private constructor(
    readonly port: number,
    targetPort: number,
    memberOf: MemberOf,
  ) {
    this.#server = createServer({ noDelay: true }, (peer) => {
      const from = memberOf({ localPort: peer.remotePort ?? 0, remotePort: port });
      const separation = this.#separation?.(from);
      if (separation === 'cut') {
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
      if (separation === 'slow') flowSlowly(link);
      else if (separation === undefined) flow(link);
    });
  }

  static async start(targetPort: number, memberOf: MemberOf): Promise<PeerGate> {
    // A port that was free a moment ago may be another process's by now.
    return eventually(async () => {
      const [port = 0] = await freePorts(1);
      const gate = new PeerGate(port, targetPort, memberOf);
      await once(gate.#server.listen(port, '127.0.0.1'), 'listening');
      return gate;
    });
  }

  /** Decides for each member whether it is let through. What is open is treated like what comes. */
  separate(separation: (from: number | undefined) => Separation | undefined): void {
    this.#separation = separation;
    for (const link of this.#links) {
      const kind = separation(link.from);
      if (kind === 'cut') end(link);
      else if (kind !== undefined) stopFlow(link);
      if (kind === 'slow') flowSlowly(link);
    }
  }

  /** Lets everybody through. Connections that were silent or slow break, as they would have by now. */
  heal(): void {
    const separation = this.#separation;
    this.#separation = undefined;
    for (const link of this.#links) if (separation?.(link.from) !== undefined) end(link);
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
