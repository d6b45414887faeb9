import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from './eventually.js';
import { ProxyLane, type LaneRules } from './tcp-proxy-lane.js';

/** Direction of data: `down` is from the server to the client. */
export type Direction = 'down' | 'up';

const LINGER_MS = 500;
const LISTEN_TIMEOUT_MS = 2_000;

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
}

/** TCP proxy on the loopback interface that simulates network faults. */
export class TcpProxy {
  /** Bytes forwarded to clients and to servers, over all connections. */
  bytesDown = 0;
  bytesUp = 0;
  /** Number of connections accepted so far. */
  accepted = 0;
  /** Sockets of clients that are not closed. A client that was cut off keeps its own until it has noticed. */
  openSockets = 0;

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
    private readonly host: string,
  ) {
    this.#targetPort = targetPort;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    // Another process may have taken the port in the meantime.
    return eventually(async () => {
      const [port = 0] = await freePorts(1);
      return TcpProxy.startAt('127.0.0.1', port, targetPort);
    });
  }

  /** Starts a proxy at an address of the loopback interface, of which Linux has many. */
  static async startAt(host: string, port: number, targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port, targetPort, host);
    await proxy.accept();
    return proxy;
  }

  get endpoint(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Number of open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Bytes that are buffered on their way to servers. */
  get bufferedUp(): number {
    return [...this.#connections.values()].reduce((sum, [, up]) => sum + (up?.bufferedBytes ?? 0), 0);
  }

  /** Closes all connections with FIN or RST. New ones are accepted. */
  cut({ reset = false } = {}): void {
    for (const connection of [...this.#connections.keys()]) this.#end(connection, reset);
  }

  /** Refuses new connections. Open ones stay open. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Accepts connections again on the same port. */
  async accept(): Promise<void> {
    if (this.#server) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#connect(client);
    });
    this.#server = server;
    // Another process may be probing whether the port is free.
    await eventually(
      async () => {
        // A later call has replaced this server.
        if (this.#server !== server) return;
        server.listen(this.port, this.host);
        await once(server, 'listening');
      },
      { withinMs: LISTEN_TIMEOUT_MS },
    );
  }

  /** Holds back all data, including the ends of connections, like a black hole. New connections are accepted. */
  freeze(direction: Direction | 'both' = 'both'): void {
    this.#rule(direction, (rules) => (rules.isFrozen = true));
  }

  /**
   * Holds back all data of the open connections, including their ends, and lets new connections pass. Returns a function
   * that sends to the servers what was held back; their answers remain held back.
   */
  holdOpen(): () => void {
    const open = [...this.#connections.values()];
    for (const lanes of open) for (const lane of lanes) lane.isHeld = true;
    return () => {
      for (const [, up] of open) if (up) up.isHeld = false;
    };
  }

  /** Discards all data, including the ends of connections. Connections that exist meanwhile never recover. */
  drop(): void {
    this.#isDropping = true;
    for (const lanes of this.#connections.values()) for (const lane of lanes) lane.stop();
  }

  /** Ends `freeze()` and `drop()` and delivers the data that was held back. */
  thaw(direction: Direction | 'both' = 'both'): void {
    this.#isDropping = false;
    this.#rule(direction, (rules) => (rules.isFrozen = false));
  }

  /**
   * Closes all connections after exactly this many more bytes to clients, counted over all connections, and calls
   * `then`.
   */
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

  /** Delays all data from now on, in both directions. */
  delay(ms: number): void {
    this.#rule('both', (rules) => (rules.delayMs = ms));
  }

  /** Limits the bandwidth of each direction of each connection. `Infinity` removes the limit. */
  throttle(bytesPerSecond: number): void {
    this.#rule('both', (rules) => (rules.bytesPerSecond = bytesPerSecond));
  }

  /** Connects new connections to another port. Open ones are not affected. */
  retarget(port: number): void {
    this.#targetPort = port;
  }

  /** Closes the proxy and all connections. */
  stop(): void {
    this.refuse();
    this.cut();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #connect(client: Socket): void {
    this.accepted += 1;
    this.openSockets += 1;
    client.once('close', () => {
      this.openSockets -= 1;
    });
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
    else endAndDrain(client);
  }

  #rule(direction: Direction | 'both', change: (rules: LaneRules) => void): void {
    for (const each of ['down', 'up'] as const)
      if (direction === 'both' || direction === each) change(this.#rules[each]);
    for (const lanes of this.#connections.values()) for (const lane of lanes) lane.rulesChanged();
  }
}

/** Reads on until the client closes too: closing a socket with unread data sends RST, and the client may lose data. */
function endAndDrain(client: Socket): void {
  client.end();
  const timer = setTimeout(() => client.destroy(), LINGER_MS);
  client.once('close', () => {
    clearTimeout(timer);
  });
}
