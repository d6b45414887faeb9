import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplication } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { COORDINATION, SERVICE } from './identity.js';
import { print } from './terminal.js';

const POLL_MS = 200;

/**
 * At the first signal, closes the app, which hands everything over. The etcd that the app has started ends with the
 * process, so the process waits for the other instances that use it, or for another signal.
 */
export function closeBeforeEtcd(app: INestApplication, hosts: readonly string[]): void {
  let isClosing = false;
  const close = async (): Promise<void> => {
    if (isClosing) process.exit(1);
    isClosing = true;
    await app.close();
    await othersEnded(hosts);
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void close());
}

async function othersEnded(hosts: readonly string[]): Promise<void> {
  const client = new Etcd3({ hosts: [...hosts] });
  const others = (): Promise<string[]> => client.getAll().prefix(`${COORDINATION}/v1/services/${SERVICE}/`).keys();
  try {
    const { length } = await others();
    if (length === 0) return;
    print('etcd', `it ends when the other instances (${length}) have ended, or at another Ctrl-C`);
    while ((await others()).length > 0) await sleep(POLL_MS);
  } catch {
    // etcd is stopped, so nobody uses it.
  } finally {
    client.close();
  }
}
