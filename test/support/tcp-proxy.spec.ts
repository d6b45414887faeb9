import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from './eventually.js';
import { TcpProxy } from './tcp-proxy.js';

interface Client {
  readonly socket: Socket;
  /** Everything received so far. */
  readonly text: () => string;
  /** `open`, `fin`, or the code of the error. */
  readonly state: () => string;
}

/** Returns all data to the sender, with a prefix. */
async function echoServer(name = ''): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(`${name}${chunk.toString()}`));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function startProxy(port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(port);
  onTestFinished(() => {
    proxy.stop();
  });
  return proxy;
}

async function client(proxy: TcpProxy): Promise<Client> {
  const socket = connect(proxy.port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  let text = '';
  let state = 'open';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('end', () => (state = 'fin'));
  socket.on('error', (error: NodeJS.ErrnoException) => (state = error.code ?? 'error'));
  await once(socket, 'connect');
  return { socket, text: () => text, state: () => state };
}

describe('TcpProxy', () => {
  it('forwards and counts all data', async () => {
    const proxy = await startProxy(await echoServer('> '));
    const one = await client(proxy);
    const two = await client(proxy);

    one.socket.write('hello');
    await eventually(() => one.text() === '> hello');

    expect([proxy.connections, proxy.accepted, proxy.bytesUp, proxy.bytesDown]).toEqual([2, 2, 5, 7]);
    two.socket.end();
    await eventually(() => proxy.connections === 1 && two.state() === 'fin');
  });

  it('forwards megabytes unchanged', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    const sent = Array.from({ length: 400_000 }, (_, index) => `line ${index}\n`).join('');

    one.socket.write(sent);

    await eventually(() => one.text().length === sent.length);
    expect(one.text() === sent).toBe(true);
  });

  it.each([
    [false, 'fin'],
    [true, 'ECONNRESET'],
  ])('cuts all connections, with reset=%s, and accepts new ones', async (reset, state) => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    await eventually(() => proxy.connections === 1);

    proxy.cut({ reset });

    await eventually(() => one.state() === state);
    const two = await client(proxy);
    two.socket.write('again');
    await eventually(() => two.text() === 'again');
    expect([proxy.connections, proxy.accepted]).toEqual([1, 2]);
  });

  it('refuses new connections while the open ones go on, and accepts again on the same port', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    await eventually(() => proxy.connections === 1);

    proxy.refuse();
    await expect(client(proxy)).rejects.toThrow('ECONNREFUSED');
    one.socket.write('still here');
    await eventually(() => one.text() === 'still here');
    await proxy.accept();

    const two = await client(proxy);
    two.socket.write('back');
    await eventually(() => two.text() === 'back');
  });

  it.each([
    ['both', [0, 0]],
    ['up', [0, 0]],
    ['down', [5, 0]],
  ] as const)(
    'is a black hole while frozen (%s), for new connections too, and delivers after the thaw',
    async (direction, bytes) => {
      const proxy = await startProxy(await echoServer());
      const one = await client(proxy);
      proxy.freeze(direction);

      const two = await client(proxy);
      one.socket.write('abc');
      two.socket.write('de');
      await eventually(() => proxy.accepted === 2 && proxy.bytesUp === bytes[0]);
      expect([proxy.bytesDown, one.text(), two.text(), one.state()]).toEqual([bytes[1], '', '', 'open']);
      proxy.thaw();

      await eventually(() => one.text() === 'abc' && two.text() === 'de');
    },
  );

  it('discards data while it drops, and accepts later connections', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    one.socket.write('a');
    await eventually(() => one.text() === 'a');
    proxy.freeze();
    one.socket.write('held');
    await eventually(() => proxy.bufferedUp === 4);

    proxy.drop();
    const two = await client(proxy);
    one.socket.write('lost');
    two.socket.write('lost');
    await eventually(() => proxy.accepted === 2);
    proxy.thaw();
    one.socket.write('too late');
    two.socket.write('too late');
    const three = await client(proxy);
    three.socket.write('b');

    await eventually(() => three.text() === 'b');
    expect([one.text(), two.text(), one.state(), two.state()]).toEqual(['a', '', 'open', 'open']);
    proxy.cut();
    await eventually(() => one.state() === 'fin' && two.state() === 'fin');
  });

  it('hides even the end of a server while frozen', async () => {
    const proxy = await startProxy(1);
    proxy.freeze();
    const one = await client(proxy);
    await eventually(() => proxy.accepted === 1);
    expect(one.state()).toBe('open');

    proxy.thaw();

    await eventually(() => one.state() === 'ECONNRESET');
  });

  it.each([0, 1, 7])('cuts after exactly %s further bytes to the client', async (bytes) => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    one.socket.write('before ');
    await eventually(() => one.text() === 'before ');

    proxy.cutAfter(bytes);
    one.socket.write('0123456789');

    await eventually(() => one.state() === 'fin');
    expect(one.text()).toBe(`before ${'0123456789'.slice(0, bytes)}`);
    const two = await client(proxy);
    two.socket.write('0123456789');
    await eventually(() => two.text() === '0123456789');
  });

  it('cuts with a reset on request, and then calls back', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    let isCut = false;
    proxy.cutAfter(3, { reset: true, then: () => (isCut = true) });

    one.socket.write('0123456789');

    // libuv reports a reset that arrives together with data as an end.
    await eventually(() => one.state() !== 'open');
    expect([isCut, '012'.startsWith(one.text())]).toEqual([true, true]);
  });

  it('delays without slowing down', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    const begun = performance.now();
    proxy.delay(100);

    for (let index = 0; index < 20; index += 1) one.socket.write('x');

    await eventually(() => one.text().length === 20);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(195);
  });

  it('throttles until the limit is removed', async () => {
    const proxy = await startProxy(await echoServer());
    const one = await client(proxy);
    const begun = performance.now();
    proxy.throttle(1_000);

    one.socket.write('x'.repeat(300));
    await eventually(() => one.text().length === 300);
    expect(performance.now() - begun).toBeGreaterThan(250);
    proxy.throttle(Infinity);
    one.socket.write('x'.repeat(1_000_000));

    await eventually(() => one.text().length === 1_000_300);
  });

  it('connects new connections to another port', async () => {
    const proxy = await startProxy(await echoServer('first '));
    const one = await client(proxy);
    one.socket.write('a');
    await eventually(() => one.text() === 'first a');

    proxy.retarget(await echoServer('second '));
    const two = await client(proxy);
    one.socket.write('b');
    two.socket.write('b');

    await eventually(() => one.text() === 'first afirst b' && two.text() === 'second b');
  });

  it('resets a client whose server is unreachable', async () => {
    const proxy = await startProxy(1);

    const one = await client(proxy);

    await eventually(() => one.state() === 'ECONNRESET' && proxy.connections === 0);
  });
});

describe('eventually', () => {
  it('returns the last result of the check', async () => {
    let calls = 0;

    expect(await eventually(() => (calls += 1) > 3 && calls)).toBe(4);
  });

  it('rethrows the last error after the timeout', async () => {
    let calls = 0;
    const check = (): never => {
      throw new Error(`no ${(calls += 1)}`);
    };

    await expect(eventually(check, { withinMs: 50 })).rejects.toThrow(/^no \d+$/);
    await expect(eventually(() => false, { withinMs: 50 })).rejects.toThrow('did not become true within 50 ms');
  });
});
