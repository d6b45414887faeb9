import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ACK, type Frame, FrameReader, frame, FrameType, settings, settingsAck } from './frames.js';

export interface RawConnection {
  readonly socket: Socket;
  /** All frames of the client so far. */
  readonly frames: Frame[];
  readonly send: (...frames: Buffer[]) => void;
  /** Answers SETTINGS and pings, and calls back for everything else. */
  readonly serve: (onFrame: (frame: Frame) => void) => void;
}

/** A TCP server whose connections are scripted byte by byte. */
export class RawHttp2Server {
  readonly connections: RawConnection[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(onConnection: (connection: RawConnection) => void): Promise<RawHttp2Server> {
    const tcp = createServer((socket) => {
      const connection = wrap(socket);
      server.connections.push(connection);
      onConnection(connection);
    });
    const server = new RawHttp2Server(tcp);
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    return server;
  }

  get address(): { host: string; port: number } {
    return { host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port };
  }

  stop(): void {
    this.#server.close();
    for (const { socket } of this.connections) socket.destroy();
  }
}

function wrap(socket: Socket): RawConnection {
  const frames: Frame[] = [];
  const reader = new FrameReader();
  let onFrame: (frame: Frame) => void = () => undefined;
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    for (const received of reader.read(chunk)) {
      frames.push(received);
      onFrame(received);
    }
  });
  const send = (...parts: Buffer[]): void => {
    if (socket.writable) socket.write(Buffer.concat(parts));
  };
  return {
    socket,
    frames,
    send,
    serve: (handle) => {
      send(settings());
      onFrame = (received) => {
        const isAck = (received.flags & ACK) !== 0;
        if (received.type === FrameType.SETTINGS && !isAck) send(settingsAck());
        if (received.type === FrameType.PING && !isAck) send(frame(FrameType.PING, ACK, 0, received.payload));
        handle(received);
      };
    },
  };
}
