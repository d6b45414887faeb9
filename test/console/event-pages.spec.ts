import { createServer, get, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EventPages } from '../../lib/console/event-pages.js';
import { eventually } from '../support/eventually.js';

describe('a page that does not read its events', () => {
  it('is disconnected while the others go on', async () => {
    const pages = new EventPages();
    const opened: ServerResponse[] = [];
    const left: ServerResponse[] = [];
    const server = createServer((_, page) => {
      page.writeHead(200).flushHeaders();
      opened.push(page);
      pages.add(page, () => left.push(page));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const slow = connect(port, '127.0.0.1', () => slow.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    slow.on('error', () => undefined).pause();
    await eventually(() => opened.length === 1);
    let received = 0;
    get({ port, host: '127.0.0.1' }, (response) => {
      response.on('data', (chunk: Buffer) => (received += chunk.length));
    });
    await eventually(() => opened.length === 2);
    const [slowPage, reader] = opened;

    const data = { text: 'x'.repeat(65_536) };
    let sent = 0;
    // The sockets of the system buffer some MiB as well.
    for (; sent < 2_000 && left.length === 0; sent += 1) {
      pages.broadcast('change', data);
      while (reader?.writableLength !== 0) await setImmediate();
      await setImmediate();
    }

    expect(left).toEqual([slowPage]);
    expect(slowPage?.destroyed).toBe(true);
    await eventually(() => {
      expect(received).toBeGreaterThanOrEqual(sent * data.text.length);
    });
    pages.close();
    await eventually(() => left.length === 2);
    slow.destroy();
    server.close();
  });
});
