import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from './eventually.js';
import { ProxyLane, type LaneRules } from './tcp-proxy-lane.js';

/** Which way bytes go: `down` is from the server to the client. */
export type Direction = 'down' | 'up';

const LINGER_MS = 500;
const TRIED_MS = 2_000;

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between a client and a server on the loopback interface and does to their connections what networks do. */
export class TcpProxy {
  /** Bytes passed on to clients and to servers, over all connections. */
  bytesDown = 0;
  bytesUp = 0;
  /** Connections accepted so far. */
  accepted = 0;

  readonly #connections = new Map<Connection, ProxyLane[]>();
  readonly #rules: Record<Direction, LaneRules> = {
    down: { isFrozen: false, delayMs: 0, bytesPerSecond: Infinity, budget: Infinity },
    up: { isFrozen: false, delayMs: 0, bytesPerSecond: Infinity, budget: Infinity },
  };
  #server: Server | undefined;
  #isDropping = false;
  #spent: () => void = () => undefined;
  #targetPort: number;

  private constructor(
    readonly port: number,
    targetPort: number,
  ) {
    this.#targetPort = targetPort;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    // A port that was free a moment ago may be another process's by now.
    return eventually(async () => {
      const [port = 0] = await freePorts(1);
      const proxy = new TcpProxy(port, targetPort);
      await proxy.accept();
      return proxy;
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Bytes that are held back on their way to servers. */
  get heldUp(): number {
    return [...this.#connections.values()].reduce((sum, [, up]) => sum + (up?.heldBytes ?? 0), 0);
  }

  /** Ends all connections now: with FIN, or with RST. New ones are accepted. */
  cut({ reset = false } = {}): void {
    for (const connection of [...this.#connections.keys()]) this.#end(connection, reset);
  }

  /** Refuses new connections; those that are open go on. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Accepts connections again, at the same port. */
  async accept(): Promise<void> {
    if (this.#server) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#connect(client);
    });
    this.#server = server;
    // Another process may be trying right now whether the port is free.
    await eventually(
      async () => {
        server.listen(this.port, '127.0.0.1');
        await once(server, 'listening');
      },
      { withinMs: TRIED_MS },
    );
  }

  /** A black hole: whatever is sent is held back, ends included, and new connections are accepted and treated the same. */
  freeze(direction: Direction | 'both' = 'both'): void {
    this.#rule(direction, (rules) => (rules.isFrozen = true));
  }

  /** A black hole that loses: what is held back and what is sent, ends included, never arrives. Who was connected meanwhile stays in it for ever. */
  drop(): void {
    this.#isDropping = true;
    for (const lanes of this.#connections.values()) for (const lane of lanes) lane.stop();
  }

  /** Delivers what was held back and goes on; what was lost stays lost. */
  thaw(direction: Direction | 'both' = 'both'): void {
    this.#isDropping = false;
    this.#rule(direction, (rules) => (rules.isFrozen = false));
  }

  /** Passes on exactly this many further bytes to clients, counted over all connections, then ends all connections and calls `then`. Once. */
  cutAfter(
    bytes: number,
    { reset = false, then = () => undefined }: { reset?: boolean; then?: () => void } = {},
  ): void {
    this.#spent = () => {
      this.cut({ reset });
      then();
    };
    this.#rule('down', (rules) => (rules.budget = bytes));
  }

  /** Delivers everything that arrives from now on this much later, in both directions. */
  delay(ms: number): void {
    this.#rule('both', (rules) => (rules.delayMs = ms));
  }

  /** Limits each direction of each connection; `Infinity` lifts it. */
  throttle(bytesPerSecond: number): void {
    this.#rule('both', (rules) => (rules.bytesPerSecond = bytesPerSecond));
  }

  /** New connections go to another port; those that are open stay. */
  retarget(port: number): void {
    this.#targetPort = port;
  }

  /** Ends everything. */
  stop(): void {
    this.refuse();
    this.cut();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #connect(client: Socket): void {
    this.accepted += 1;
    const server = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection = { client, server };
    const lanes = [
      new ProxyLane(server, client, this.#rules.down, {
        passed: (bytes) => (this.bytesDown += bytes),
        spent: () => {
          this.#rules.down.budget = Infinity;
          this.#spent();
        },
        broken: () => {
          this.#end(connection, true);
        },
      }),
      new ProxyLane(client, server, this.#rules.up, {
        passed: (bytes) => (this.bytesUp += bytes),
        spent: () => undefined,
        broken: () => {
          this.#end(connection, true);
        },
      }),
    ];
    if (this.#isDropping) for (const lane of lanes) lane.stop();
    this.#connections.set(connection, lanes);
    const whenBothClosed = (): void => {
      if (client.closed && server.closed) this.#connections.delete(connection);
    };
    client.once('close', whenBothClosed);
    server.once('close', whenBothClosed);
  }

  #end(connection: Connection, reset: boolean): void {
    const { client, server } = connection;
    for (const lane of this.#connections.get(connection) ?? []) lane.stop();
    this.#connections.delete(connection);
    server.destroy();
    if (reset) client.resetAndDestroy();
    else endGently(client);
  }

  #rule(direction: Direction | 'both', change: (rules: LaneRules) => void): void {
    for (const each of ['down', 'up'] as const)
      if (direction === 'both' || direction === each) change(this.#rules[each]);
    for (const lanes of this.#connections.values()) for (const lane of lanes) lane.rulesChanged();
  }
}

/** Closing a socket that has unread bytes sends RST, and the other side may then lose what it was sent: read on until it closes too. */
function endGently(client: Socket): void {
  client.end();
  const timer = setTimeout(() => client.destroy(), LINGER_MS);
  client.once('close', () => {
    clearTimeout(timer);
  });
}
