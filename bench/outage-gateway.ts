import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Forwards connections to a member until `GET /outage` of its control port begins an outage: all connections end, and
 * each new one ends at once. `GET /attempts` responds with the number of connections since then.
 */
export class OutageGateway implements Disposable {
  readonly #sockets = new Set<Socket>();
  #isOutage = false;
  #attempts = 0;

  private constructor(
    private readonly server: Server,
    private readonly control: HttpServer,
    target: URL,
  ) {
    server.on('connection', (client: Socket) => {
      if (this.#isOutage) {
        this.#attempts += 1;
        client.destroy();
        return;
      }
      const member = connect(Number(target.port), target.hostname);
      this.#join(client, member);
      this.#join(member, client);
    });
    control.on('request', ({ url }, response) => {
      if (url === '/outage') this.#begin();
      response.end(String(this.#attempts));
    });
  }

  static async start(target: string): Promise<OutageGateway> {
    const gateway = new OutageGateway(createServer(), createHttpServer(), new URL(target));
    await Promise.all([gateway.server, gateway.control].map((each) => once(each.listen(0, '127.0.0.1'), 'listening')));
    return gateway;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get controlUrl(): string {
    return `http://127.0.0.1:${(this.control.address() as AddressInfo).port}`;
  }

  [Symbol.dispose](): void {
    this.server.close();
    this.control.close();
    this.control.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
  }

  #begin(): void {
    this.#isOutage = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => undefined);
    from.once('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  }
}
