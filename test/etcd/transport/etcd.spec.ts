import { describe, expect, it } from 'vitest';
import { ProtobufReader } from '../../../lib/etcd/codec/protobuf-reader.js';
import { ProtobufWriter } from '../../../lib/etcd/codec/protobuf-writer.js';
import type { GrpcSession } from '../../../lib/etcd/transport/grpc-session.js';
import { eventually } from '../../support/eventually.js';
import { describeError, failureOf, RecordedStream, sessions } from '../../support/grpc-session.js';
import { ownEtcd } from '../../support/own-etcd.js';

const etcd = ownEtcd();
const { open } = sessions();

function connect(): GrpcSession {
  const { hostname, port } = new URL(etcd.hosts[0] as string);
  return open({ address: { host: hostname, port: Number(port) }, authority: `${hostname}:${port}` });
}

const put = (key: string, value: string): Buffer => new ProtobufWriter().latin1(1, key).text(2, value).finish();

/** The texts of all fields with this tag in a message, nested messages being given by their tags. */
function textsOf(bytes: Buffer, ...path: readonly number[]): string[] {
  const reader = new ProtobufReader(bytes);
  const [tag, ...rest] = path;
  const texts: string[] = [];
  for (let found = reader.tag(); found !== 0; found = reader.tag()) {
    if (found !== tag) reader.skip(found);
    else if (rest.length === 0) texts.push(reader.text());
    else {
      const limit = reader.limit();
      texts.push(...textsOf(bytes.subarray(reader.position, limit), ...rest));
      reader.at(limit);
    }
  }
  return texts;
}

describe('GrpcSession with etcd', () => {
  it('asks for the status', async () => {
    const answer = await connect().unary('/etcdserverpb.Maintenance/Status', Buffer.alloc(0), { timeoutMs: 5_000 });

    expect(textsOf(answer, 0x12)[0]).toMatch(/^3\.\d+\.\d+/);
  });

  it('writes and reads keys, large values too', async () => {
    const session = connect();
    const large = 'v'.repeat(1_000_000);

    await session.unary('/etcdserverpb.KV/Put', put('a', 'first'));
    await session.unary('/etcdserverpb.KV/Put', put('b', large));
    const range = new ProtobufWriter().latin1(1, 'a').latin1(2, 'c').finish();
    const answer = await session.unary('/etcdserverpb.KV/Range', range);

    expect(textsOf(answer, 0x12, 0x2a)).toEqual(['first', large]);
  });

  it('rejects what etcd rejects', async () => {
    expect(await failureOf(connect().unary('/etcdserverpb.KV/Range', Buffer.alloc(0)))).toBe(
      'INVALID_ARGUMENT: etcdserver: key is not provided (sent: maybe)',
    );
  });

  it('grants a lease, keeps it alive on a half-closed stream, and revokes it', async () => {
    const session = connect();
    const granted = await session.unary(
      '/etcdserverpb.Lease/LeaseGrant',
      new ProtobufWriter().uint(1, 60).int64(2, '8070450532247928832').finish(),
    );
    const lease = new ProtobufWriter().int64(1, '8070450532247928832').finish();

    const alive = await session.unary('/etcdserverpb.Lease/LeaseKeepAlive', lease);
    await session.unary('/etcdserverpb.Lease/LeaseRevoke', lease);

    expect(granted.length).toBeGreaterThan(0);
    expect(alive.length).toBeGreaterThan(0);
    expect(await failureOf(session.unary('/etcdserverpb.Lease/LeaseRevoke', lease))).toMatch(/^NOT_FOUND: /);
  });

  it('follows a watch, and cancels it', async () => {
    const session = connect();
    await session.ready;
    const values: string[] = [];
    let responses = 0;
    const watch = new RecordedStream(session, '/etcdserverpb.Watch/Watch', {
      onMessage: (bytes) => {
        responses += 1;
        values.push(...textsOf(bytes, 0x5a, 0x12, 0x2a));
      },
    });
    watch.stream.write(new ProtobufWriter().message(1, (create) => create.latin1(1, 'w').latin1(2, 'x')).finish());
    await eventually(() => responses === 1);

    for (let i = 0; i < 100; i += 1) await session.unary('/etcdserverpb.KV/Put', put(`w${i}`, String(i)));
    await eventually(() => values.length === 100);
    watch.stream.cancel();
    await session.unary('/etcdserverpb.KV/Put', put('w', 'after'));

    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
    expect(watch.ends).toBe(0);
    await eventually(() => session.openStreams === 0);
  });

  it('keeps the process alive only while something is open', async () => {
    const holdsProcess = (): boolean => process.getActiveResourcesInfo().includes('TCPSocketWrap');
    const session = connect();
    await session.ready;
    await eventually(() => !holdsProcess());

    const watch = new RecordedStream(session, '/etcdserverpb.Watch/Watch');
    expect(holdsProcess()).toBe(true);
    watch.stream.cancel();

    await eventually(() => !holdsProcess());
    expect(await session.unary('/etcdserverpb.Maintenance/Status', Buffer.alloc(0))).not.toHaveLength(0);
  });

  it('answers pings, and reports a member that is killed', async () => {
    const session = connect();
    await session.ready;
    const watch = new RecordedStream(session, '/etcdserverpb.Watch/Watch');

    expect(await session.ping()).toBe(true);
    await etcd.first.kill();

    expect(describeError(await watch.ended)).toMatch(/^UNAVAILABLE: .* \(sent: maybe\)$/);
    expect((await session.closed)?.failure).toMatch(/lost|goaway/);
    await etcd.first.start();
  });
});
