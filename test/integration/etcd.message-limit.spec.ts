import { InvalidOptionsError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { Recorder } from '../support/recorder.js';
import { startApp } from '../support/start-app.js';

const MEBIBYTE = 2 ** 20;
const LIMIT = 3 * MEBIBYTE;
const KEYS = Array.from({ length: 8 }, (_, index) => `/large/${index}`);

const grpcOptions = (limit: number) => ({ 'grpc.max_receive_message_length': limit });

describe('grpcOptions["grpc.max_receive_message_length"]:', () => {
  const etcd = ownEtcd();

  it('limits every message: a larger list is read in pages, and larger watch messages in fragments', async () => {
    const hosts = etcd.first.endpoint;
    await using app = await startApp({ hosts, client: { hosts, grpcOptions: grpcOptions(LIMIT) } });
    const first = await app.watcher.put('/large/first', 'small');
    for (const key of KEYS) await app.watcher.put(key, Buffer.alloc(MEBIBYTE, key));
    const recorder = new Recorder();
    await app.watcher.watch('/large/', recorder.onEvent, { fromRevision: first.revision, onResync: recorder.onResync });

    await eventually(() => recorder.events.length === KEYS.length + 1);

    expect(recorder.events.map(({ key }) => key)).toEqual(['/large/first', ...KEYS]);
    expect(recorder.notices).toEqual([]);
  });

  it('an application with a value above the limit is told so', async () => {
    const hosts = etcd.first.endpoint;
    await using app = await startApp({ hosts, client: { hosts, grpcOptions: grpcOptions(MEBIBYTE) } });
    await app.watcher.put('/one', Buffer.alloc(MEBIBYTE));

    await expect(app.watcher.get('/one')).rejects.toThrow(`exceeds the limit of ${MEBIBYTE} bytes`);
  });

  it.each([0, -2, 1.5, '4194304'])('refuses %j', async (limit) => {
    const client = { hosts: etcd.first.endpoint, grpcOptions: grpcOptions(limit as number) };

    await expect(startApp({ hosts: [], client })).rejects.toThrow(
      new InvalidOptionsError('client.grpcOptions["grpc.max_receive_message_length"] must be an integer of at least 1'),
    );
  });
});
