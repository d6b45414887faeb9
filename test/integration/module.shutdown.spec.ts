import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { OnWatchError, WatchKey, WatchKeyRegistry, type WatchEvent, type WatchFailure } from 'nestjs-etcd-trigger';
import type { DeliveryContext } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('an application that stops', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  describe('on SIGTERM, under load,', () => {
    const stopApp = async (name: string) => {
      const child: ChildProcess = spawn(process.execPath, ['test/fixtures/shutdown.mjs', etcd.hosts.join(), name], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      // Not `exit`: the last output may arrive after it.
      const exited = once(child, 'close');
      const startedCalls = (): number => output.match(/^begin/gm)?.length ?? 0;
      let isStopped = false;
      const load = (async () => {
        for (let number = 0; !isStopped; number += 1) await put(`/load/${number % 500}`, 'x');
      })();
      await eventually(() => startedCalls() >= 16);
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      isStopped = true;
      await load;
      const lines = output.trim().split('\n');
      return { code, lines, warnings: lines.filter((line) => !/^(ready|begin|end)\b/.test(line)) };
    };
    const keysOf = (lines: readonly string[], word: string): string[] =>
      lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

    it('lets running calls finish, including their writes', async () => {
      const { code, lines, warnings } = await stopApp('finishes what it began');

      expect([code, warnings]).toEqual([0, []]);
      expect(keysOf(lines, 'end').sort()).toEqual(keysOf(lines, 'begin').sort());
      const done = await etcd.direct.getAll().prefix('/done/').keys();
      expect(done.sort()).toEqual(
        [...new Set(keysOf(lines, 'end'))].map((key) => key.replace('/load/', '/done/')).sort(),
      );
    });

    it('aborts running calls at its time limit', async () => {
      const { code, lines, warnings } = await stopApp('follows its signal');

      expect([code, warnings]).toEqual([0, []]);
      expect(keysOf(lines, 'begin')).toHaveLength(16);
      expect(keysOf(lines, 'end').sort()).toEqual(keysOf(lines, 'begin').sort());
    });

    it('does not wait for calls that ignore their signal, and reports them', async () => {
      const { code, warnings } = await stopApp('never ends');

      expect(code).toBe(0);
      expect(warnings).toEqual([
        expect.stringMatching(
          /does not wait for 1 handler: still running after the drain limit of 200 ms, in spite of the abort signal/,
        ),
      ]);
    });
  });

  it('waits for running calls, including those of closed watches, and lets them write', async () => {
    const running = await startApp({ hosts: etcd.hosts });
    let finish = (): void => undefined;
    const finished: string[] = [];
    const subscription = await running.watcher.watch('/k', async ({ key }) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await running.watcher.put('/written', key);
      finished.push(key);
    });
    const other = await running.watcher.watch('/other', () => undefined);
    await running.watcher.put('/k', 'x');
    await eventually(() => subscription.pending === 1);
    await subscription.close();
    const closing = running.app.close();
    await eventually(() => other.status === 'closed');
    finish();
    await closing;

    expect(finished).toEqual(['/k']);
  });

  it('waits for @OnWatchError methods, lets them write, and logs their errors', async () => {
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown): number => rejections.push(reason);
    process.on('unhandledRejection', onRejection);
    const logger = new CollectingLogger();
    let finish = (): void => undefined;
    class Handler {
      @WatchKey('/k/')
      onEvent() {
        throw new Error('given up');
      }
      @OnWatchError()
      async onFailure({ event }: WatchFailure) {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        await running.watcher.put('/failed', event.key);
        throw new RangeError('hidden');
      }
    }
    const running = await startApp({ hosts: etcd.hosts, logger }, { providers: [Handler] });
    const registry = running.app.get(WatchKeyRegistry);
    await put('/k/1', 'x');
    await eventually(() => registry.list()[0]?.failures === 1);
    const closing = running.app.close();
    await eventually(() => registry.list()[0]?.state === 'closed');
    finish();
    await closing;
    process.off('unhandledRejection', onRejection);

    expect((await etcd.direct.get('/failed').string()) ?? 'nothing').toBe('/k/1');
    expect(logger.text).toMatch(/Handler\.onFailure failed: RangeError at /);
    expect(logger.text).not.toContain('hidden');
    expect(rejections).toEqual([]);
  });

  it('delivers no further event, closes immediately when idle, and may be closed twice', async () => {
    const seen: string[] = [];
    class Handler {
      @WatchKey('/k/')
      onEvent({ key }: WatchEvent) {
        seen.push(key);
      }
    }
    const running = await startApp({ hosts: etcd.hosts }, { providers: [Handler] });
    const registry = running.app.get(WatchKeyRegistry);
    await Promise.all([running.app.close(), running.app.close()]);
    await running.app.close();
    await put('/k/1', 'x');

    expect(registry.list()[0]?.state).toBe('closed');
    expect(seen).toEqual([]);
  });

  it('ends while it reconnects, and aborts the handlers that wait for etcd', async () => {
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    const reasons: unknown[] = [];
    class Handler {
      @WatchKey('/k/')
      async onEvent(_event: WatchEvent, { signal }: DeliveryContext) {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        reasons.push((signal.reason as { readonly code: string }).code);
      }
    }
    const logger = new CollectingLogger();
    const running = await startApp(
      { hosts: proxy.endpoint, shutdown: { drainTimeoutMs: 50 }, logger },
      { providers: [Handler] },
    );
    const registry = running.app.get(WatchKeyRegistry);
    await put('/k/1', 'x');
    await eventually(() => registry.list()[0]?.pending === 1);
    proxy.refuse();
    proxy.cut();
    await eventually(() => registry.list()[0]?.state === 'interrupted');
    await running.app.close();
    proxy.stop();

    expect(reasons).toEqual(['ETCD_CONNECTION_CLOSED']);
    expect(logger.text).not.toContain('still running');
  });
});
