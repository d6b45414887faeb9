import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TcpProxy } from '../support/tcp-proxy.js';
import { cutEach } from './recovery/cut-again.js';
import { Follower } from './recovery/follower.js';
import { Writer } from './recovery/writer.js';

/** Longest pause between two attempts, plus time for a busy machine. */
const SOON_MS = 5_000;

describe.each(['FIN', 'RST'])('a watch whose connection is cut again with %s', (kind) => {
  let etcd: EtcdTestCluster;
  let writer: Writer;
  let link: TcpProxy;
  let follower: Follower;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    writer = new Writer(etcd.hosts);
    link = await TcpProxy.start(etcd.first.clientPort);
    follower = await Follower.start(writer, { hosts: link.endpoint });
  });
  afterAll(async () => {
    await follower[Symbol.asyncDispose]();
    link.stop();
    writer[Symbol.dispose]();
    await etcd.stop();
  });

  it('during the handshake, many times in a row, reconnects without increasing pauses', async () => {
    link.cut();
    const bytes = Array.from({ length: 12 }, (_, index) => (index % 9) + 1);
    const pauses = await cutEach(link, bytes, { reset: kind === 'RST' });
    await writer.verifyDelivery(follower);

    expect(pauses.filter((pause) => pause > SOON_MS)).toEqual([]);
  });

  it('in the middle of a large message, after every reconnection, resumes promptly and misses nothing', async () => {
    link.refuse();
    link.cut();
    const missed: string[] = [];
    while (missed.length < 40) missed.push(await writer.put(300_000));
    await link.accept();
    const bytes = [100, 200, 400, 800, 1_600, 16_000, 65_535, 65_536, 262_144, 1_048_576, 5_000_000, 11_900_000];
    const pauses = await cutEach(link, bytes, { reset: kind === 'RST' });
    await writer.verifyDelivery(follower, ...missed);

    expect(pauses.filter((pause) => pause > SOON_MS)).toEqual([]);
  });
});
