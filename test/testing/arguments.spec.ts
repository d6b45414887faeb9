import { Test } from '@nestjs/testing';
import { InvalidOptionsError } from 'nestjs-etcd-trigger';
import {
  EtcdMember,
  EtcdTestCluster,
  EtcdTriggerTestingModule,
  FakeCluster,
  findEtcd,
  getFakeClusterToken,
  settled,
} from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';

const fake = new FakeCluster();
/** Bad arguments, which the compiler would refuse. */
const bad = (value: unknown): never => value as never;

const circular: Record<string, unknown> = {};
circular.self = circular;

const member = {
  binary: { path: '/etcd', version: '3.5.1', source: 'PATH' },
  name: 'etcd-0',
  ports: { client: 1, peer: 2, metrics: 3 },
  peerUrl: 'http://127.0.0.1:2',
  initialCluster: 'etcd-0=http://127.0.0.1:2',
  token: 't',
} as const;

const KEY = 'pass the key as a string or a Buffer';
const PREFIX = 'pass the prefix as a string';
const VALUES = 'pass an object of keys and values, such as { "/app/key": "value" }';
const OPTIONS = 'pass the options as an object';
const LEASE = 'pass the lease as the string that grantLease() returns';
const BUILDER = 'pass the result of Test.createTestingModule(), before compile()';
const JSON_ADVICE = 'the value for "/a" cannot be written as JSON: pass a string, a Buffer or plain data';

const CALLS: readonly (readonly [string, () => unknown])[] = [
  [`new FakeCluster(): ${VALUES}`, () => new FakeCluster(bad(null))],
  [`new FakeCluster(): ${VALUES}`, () => new FakeCluster(bad(new Map([['/a', 'x']])))],
  [`new FakeCluster(): ${VALUES}`, () => new FakeCluster(bad(['/a']))],
  [`keys(): ${PREFIX}`, () => fake.keys(bad(5))],
  [`get(): ${KEY}`, () => fake.get(bad(undefined))],
  [`get(): ${KEY}`, () => fake.get(bad(new Uint8Array(1)))],
  [`text(): ${KEY}`, () => fake.text(bad(5))],
  [`json(): ${KEY}`, () => fake.json(bad(null))],
  [`put(): ${KEY}`, () => fake.put(bad(undefined), 'x')],
  [`put(): ${OPTIONS}`, () => fake.put('/a', 'x', bad(null))],
  ['"leese" of put() is not an option: did you mean "lease"?', () => fake.put('/a', 'x', bad({ leese: '1' }))],
  [`put(): ${LEASE}`, () => fake.put('/a', 'x', { lease: bad(5) })],
  [JSON_ADVICE, () => fake.put('/a', bad(undefined))],
  [JSON_ADVICE, () => fake.put('/a', circular)],
  [JSON_ADVICE, () => fake.put('/a', bad(1n))],
  [`putAll(): ${VALUES}`, () => fake.putAll(bad(undefined))],
  [`putAll(): ${VALUES}`, () => fake.putAll(bad('/a'))],
  [`delete(): ${KEY}`, () => fake.delete(bad(undefined))],
  [
    'transaction(): pass a function, such as (tx) => tx.put(key, value)',
    () => fake.transaction(bad([{ put: '/a', value: 'x' }])),
  ],
  [
    'transaction(): pass a function that is not asynchronous',
    () => fake.transaction(bad(() => Promise.reject(new Error('late')))),
  ],
  [
    `tx.put(): ${KEY}`,
    () =>
      fake.transaction((tx) => {
        tx.put(bad(undefined), 'x');
      }),
  ],
  [
    `tx.put(): ${OPTIONS}`,
    () =>
      fake.transaction((tx) => {
        tx.put('/a', 'x', bad('1'));
      }),
  ],
  [
    `tx.delete(): ${KEY}`,
    () =>
      fake.transaction((tx) => {
        tx.delete(bad(undefined));
      }),
  ],
  ['grantLease(): pass a positive number of seconds', () => fake.grantLease(bad(undefined))],
  ['grantLease(): pass a positive number of seconds', () => fake.grantLease(0)],
  [
    `revokeLease(): ${LEASE}`,
    () => {
      fake.revokeLease(bad(5));
    },
  ],
  [
    'advance(undefined): pass 0 or more milliseconds',
    () => {
      fake.advance(bad(undefined));
    },
  ],
  [
    'advance("5"): pass 0 or more milliseconds',
    () => {
      fake.advance(bad('5'));
    },
  ],
  [
    'advance(Infinity): pass 0 or more milliseconds',
    () => {
      fake.advance(Infinity);
    },
  ],
  ['elect(): pass the name of an election as a string', () => fake.elect(bad(undefined), bad(undefined))],
  ['elect() needs an application that imports EtcdTriggerModule', () => fake.elect('a', bad(undefined))],
  [
    `deny(): ${PREFIX}`,
    () => {
      fake.deny(bad(undefined));
    },
  ],
  [
    `allow(): ${PREFIX}`,
    () => {
      fake.allow(bad(5));
    },
  ],
  [
    'compact(5): the store is at 1 and compacted up to 0; pass a revision in between',
    () => {
      new FakeCluster().compact(bad('5'));
    },
  ],
  [
    'restore(): pass a result of snapshot()',
    () => {
      fake.restore(bad({}));
    },
  ],
  [
    'restore(): pass a result of snapshot()',
    () => {
      fake.restore(bad(undefined));
    },
  ],
  [`replaceIn(): ${BUILDER}`, () => fake.replaceIn(bad(undefined))],
  [`replaceIn(): ${BUILDER}`, async () => fake.replaceIn(bad(await Test.createTestingModule({}).compile()))],
  [
    'replaceIn(): pass the name of the cluster as a string',
    () => fake.replaceIn(Test.createTestingModule({}), bad({ cluster: 'audit' })),
  ],
  ['"timeout" of settled() is not an option: did you mean "timeoutMs"?', () => settled(fake, bad({ timeout: 1 }))],
  [`settled(): ${OPTIONS}`, () => settled(fake, bad(null))],
  [`settled(): ${OPTIONS}`, () => settled(fake, bad(100))],
  [
    '"timeoutMs" of settled() must be a number of milliseconds from 0 to 2147483647',
    () => settled(fake, { timeoutMs: NaN }),
  ],
  ['settled() needs a FakeCluster, or an application that imports EtcdTriggerModule', () => settled(bad(undefined))],
  [`EtcdTriggerTestingModule.forRoot(): ${OPTIONS}`, () => EtcdTriggerTestingModule.forRoot(bad(null))],
  [
    'EtcdTriggerTestingModule.forRoot(): leave out "client", because the fake replaces it',
    () => EtcdTriggerTestingModule.forRoot(bad({ client: { hosts: 'etcd:2379' } })),
  ],
  [
    '"fake" of EtcdTriggerTestingModule.forRoot() must be a FakeCluster',
    () => EtcdTriggerTestingModule.forRoot({ fake: bad({}) }),
  ],
  [
    `"initial" of EtcdTriggerTestingModule.forRoot(): ${VALUES}`,
    () => EtcdTriggerTestingModule.forRoot({ initial: bad([]) }),
  ],
  ['getFakeClusterToken(): pass the name of the cluster as a string', () => getFakeClusterToken(bad({}))],
  [`findEtcd(): ${OPTIONS}`, () => findEtcd(bad('3.5'))],
  ['"versoin" of findEtcd() is not an option: did you mean "version"?', () => findEtcd(bad({ versoin: '3.5' }))],
  ['findEtcd(): version is number, but must be major.minor, such as "3.5"', () => findEtcd({ version: bad(3.5) })],
  ['"env" of findEtcd() must be an object of environment variables', () => findEtcd({ env: bad('PATH') })],
  ['"log" of findEtcd() must be a function', () => findEtcd({ log: bad(true) })],
  [`EtcdTestCluster.start(): ${OPTIONS}`, () => EtcdTestCluster.start(bad(3))],
  [
    '"members" of EtcdTestCluster.start() is not an option: the options are size, version, binary, tls, args, env, peerUrls',
    () => EtcdTestCluster.start(bad({ members: 3 })),
  ],
  ['EtcdTestCluster.start(): size is 0, but must be 1 or more', () => EtcdTestCluster.start({ size: 0 })],
  [
    '"binary" of EtcdTestCluster.start() must be a result of findEtcd()',
    () => EtcdTestCluster.start({ binary: bad('/usr/bin/etcd') }),
  ],
  [
    '"tls" of EtcdTestCluster.start() must be an object with the paths of the files ca, cert and key',
    () => EtcdTestCluster.start({ tls: bad(true) }),
  ],
  [
    '"args" of EtcdTestCluster.start() must be an array of flags, such as ["--quota-backend-bytes=1"]',
    () => EtcdTestCluster.start({ args: bad('--quota-backend-bytes=1') }),
  ],
  [
    '"env" of EtcdTestCluster.start() must be an object of environment variables',
    () => EtcdTestCluster.start({ env: bad('GOGC=1') }),
  ],
  [
    '"peerUrls" of EtcdTestCluster.start() must be a function',
    () => EtcdTestCluster.start({ peerUrls: bad(['http://127.0.0.1:1']) }),
  ],
  [`new EtcdMember(): ${OPTIONS}`, () => new EtcdMember(bad(undefined))],
  ['"name" of new EtcdMember() must be a string', () => new EtcdMember(bad({}))],
  [
    '"ports" of new EtcdMember() must be an object with the numbers client, peer and metrics',
    () => new EtcdMember({ ...member, ports: bad(2379) }),
  ],
  [
    '"binary" of new EtcdMember() must be a result of findEtcd()',
    () => new EtcdMember({ ...member, binary: bad('/usr/bin/etcd') }),
  ],
];

describe('a bad argument of the testing kit', () => {
  it.each(CALLS)('is refused by %s', async (message, call) => {
    const outcome = await Promise.resolve()
      .then(call)
      .catch((error: unknown) => error);

    expect(outcome).toBeInstanceOf(InvalidOptionsError);
    expect((outcome as Error).message).toBe(message);
  });

  it('is refused by the methods of a member', async () => {
    await using etcd = new EtcdMember(member);

    await expect(etcd.start(bad(5_000))).rejects.toThrow(
      new InvalidOptionsError('start(): pass an AbortSignal or nothing'),
    );
    await expect(etcd.log(bad('10'))).rejects.toThrow(
      new InvalidOptionsError('log(): pass a positive number of lines'),
    );
    await expect(etcd.metric(bad(undefined))).rejects.toThrow(
      new InvalidOptionsError('metric(): pass the name of a metric as a string'),
    );
  });

  it('changes nothing', () => {
    const etcd = new FakeCluster({ '/a': 'x' });
    const calls = [
      () => etcd.putAll({ '/a': 'y', '/b': bad(undefined) }),
      () =>
        etcd.transaction((tx) => {
          tx.put('/a', 'y');
          tx.delete(bad(undefined));
        }),
      () =>
        etcd.transaction(
          bad(async (tx: { put(key: string, value: string): void }) => {
            tx.put('/a', 'y');
            await Promise.resolve();
          }),
        ),
    ];
    for (const call of calls) expect(call).toThrow(InvalidOptionsError);

    expect(etcd.text('/a')).toBe('x');
    expect(etcd.revision).toBe(2);
  });
});
