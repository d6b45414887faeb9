import { Etcd3 } from 'etcd3';
import { EtcdTestCluster, type EtcdTestClusterOptions } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, beforeEach } from 'vitest';

type Value = string | Buffer | object;

/** What a suite may do with its etcd, from within hooks and tests. */
export interface OwnEtcd {
  readonly hosts: string[];
  readonly first: EtcdTestCluster['first'];
  /** A client beside the module: it knows nothing of proxies that tests put in between. */
  readonly direct: Etcd3;
  /** Writes with that client, objects as JSON; gives the revision. */
  readonly put: (key: string | Buffer, value: Value) => Promise<number>;
  /** The same, in one transaction. */
  readonly putTogether: (values: Readonly<Record<string, Value>>) => Promise<number>;
  /** Forgets what was before a revision; resolves when it is gone. */
  readonly compact: (revision: number) => Promise<void>;
  /** Replaces the store of every member by an empty one. */
  readonly wipe: () => Promise<void>;
}

/** An etcd that a suite has for itself: started before its first test, emptied before each, stopped after its last. */
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
