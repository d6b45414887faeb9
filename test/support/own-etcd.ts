import { Etcd3 } from 'etcd3';
import { EtcdTestCluster, type EtcdTestClusterOptions } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, beforeEach } from 'vitest';

type Value = string | Buffer | object;

/** The etcd of a suite, for use in hooks and tests. */
export interface OwnEtcd {
  readonly hosts: string[];
  readonly first: EtcdTestCluster['first'];
  /** A direct client that bypasses the module and any proxies. */
  readonly direct: Etcd3;
  /** Writes a key with the direct client, objects as JSON. Returns the revision. */
  readonly put: (key: string | Buffer, value: Value) => Promise<number>;
  /** Like `put`, for several keys in one transaction. */
  readonly putTogether: (values: Readonly<Record<string, Value>>) => Promise<number>;
  /** Compacts the history before a revision, physically. */
  readonly compact: (revision: number) => Promise<void>;
  /** Replaces the store of every member by an empty one. */
  readonly wipe: () => Promise<void>;
}

/** Starts an etcd before the suite's first test, empties it before each test and stops it after the last. */
export function ownEtcd(options?: EtcdTestClusterOptions): OwnEtcd {
  let cluster: EtcdTestCluster;
  let direct: Etcd3;

  beforeAll(async () => {
    cluster = await EtcdTestCluster.start(options);
    direct = new Etcd3({ hosts: cluster.hosts });
  });
  beforeEach(async () => {
    await direct.delete().all();
  });
  afterAll(async () => {
    direct.close();
    await cluster.stop();
  });

  return {
    get hosts() {
      return cluster.hosts;
    },
    get first() {
      return cluster.first;
    },
    get direct() {
      return direct;
    },
    put: async (key, value) => Number((await direct.put(key).value(bytesOf(value))).header.revision),
    putTogether: async (values) => {
      const success = Object.entries(values).map(([key, value]) => ({
        request_put: { key: Buffer.from(key), value: bytesOf(value) },
      }));
      return Number((await direct.kv.txn({ success })).header.revision);
    },
    compact: async (revision) => {
      await direct.kv.compact({ revision: String(revision), physical: true });
    },
    wipe: () => cluster.wipe(),
  };
}

function bytesOf(value: Value): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}
