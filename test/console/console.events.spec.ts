import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { type AppOptions, ConsoleApp } from './console-app.js';
import { CANARY, KEYS } from './console.configs.js';

let started: ConsoleApp | undefined;

const start = async (options: AppOptions = {}): Promise<ConsoleApp> => (started = await ConsoleApp.start(options));

afterEach(async () => {
  await started?.close();
  started = undefined;
});

/** Collects the events of a page until its stream ends. */
class EventPage {
  text = '';
  isEnded = false;

  static async open(app: ConsoleApp): Promise<EventPage> {
    const page = new EventPage();
    const response = await app.fetch('api/events');
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    void page.#read(response);
    await eventually(() => {
      expect(page.of('state')).not.toEqual([]);
    });
    return page;
  }

  /** The data of all events of a type. */
  of(type: string): unknown[] {
    return this.text
      .split('\n\n')
      .filter((block) => block.startsWith(`event: ${type}\n`))
      .map((block): unknown => JSON.parse(block.slice(block.indexOf('data: ') + 6)));
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        this.text += decoder.decode(chunk, { stream: true });
      }
    } catch {
      // The stream was cut.
    }
    this.isEnded = true;
  }
}

describe.each(['express', 'fastify'] as const)('the events on %s', (adapter) => {
  it('are the state and what changes, without values', async () => {
    const app = await start({ adapter });
    const page = await EventPage.open(app);
    expect(page.of('state')).toMatchObject([{ write: true, clusters: [{ name: 'default', status: 'ready' }] }]);
    const tenant = `${KEYS.tenants}bob`;

    app.etcd.put(KEYS.database, { host: 'db-2', port: 1, password: `${CANARY}-2` });
    app.etcd.put(KEYS.flags, { checkout: CANARY, ratio: 1 });
    app.etcd.put(tenant, { name: 'Bob', limit: 1 });

    await eventually(() => {
      expect(page.of('healed')).toMatchObject([{ cluster: 'default', key: tenant, type: 'healed' }]);
    });
    expect(page.of('change')).toMatchObject([
      {
        key: KEYS.database,
        type: 'put',
        origin: 'live',
        changedPaths: expect.arrayContaining(['host', 'password']) as unknown,
      },
      { key: tenant, type: 'put' },
    ]);
    expect(page.of('refused')).toMatchObject([{ key: KEYS.flags, violations: [{ path: 'checkout' }] }]);
    await eventually(() => {
      expect(page.of('state').at(-1)).toHaveProperty('clusters.0.definitions.0.invalid', 0);
    });
    expect(page.text).not.toContain(CANARY);
  });

  it('are counted when there are too many', async () => {
    const app = await start({ adapter });
    const page = await EventPage.open(app);

    for (let index = 0; index < 300; index += 1) app.etcd.put(`${KEYS.tenants}${index}`, { name: 'T', limit: 1 });

    await eventually(() => {
      expect(page.of('skipped')).toEqual([{ count: 100 }]);
    });
    expect(page.of('change')).toHaveLength(200);
  });

  it('end at the shutdown, also those of pages that do not read', async () => {
    const app = await start({ adapter });
    const pages = await Promise.all(Array.from({ length: 100 }, () => EventPage.open(app)));
    const { port } = new URL(app.origin);
    const slow = connect(Number(port), '127.0.0.1', () =>
      slow.write('GET /etcd/api/events HTTP/1.1\r\nhost: x\r\n\r\n'),
    );
    slow.on('error', () => undefined);
    await new Promise((resolve) => slow.once('readable', resolve));
    started = undefined;

    await app.close();

    await eventually(() => {
      expect(pages.every(({ isEnded }) => isEnded)).toBe(true);
    });
    slow.destroy();
  });
});
