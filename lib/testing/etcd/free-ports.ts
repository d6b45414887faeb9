import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** Below the ranges from which systems take ports for outgoing connections, so that a port stays ours while its etcd is stopped. */
const LOWEST = 15_000;
const HIGHEST = 32_000;

/** Different loopback ports on which nobody listens at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    while (ports.length < count) {
      const port = randomInt(LOWEST, HIGHEST);
      const server = await listenOn(port);
      if (server === undefined) continue;
      held.push(server);
      ports.push(port);
    }
    return ports;
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      resolve(server);
    });
  });
}
