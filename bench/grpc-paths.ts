/** What the replay server, the recorder and the bytes-only client speak: etcd's methods, with messages left as bytes. */
export const WATCH_PATH = '/etcdserverpb.Watch/Watch';
export const RANGE_PATH = '/etcdserverpb.KV/Range';
export const TXN_PATH = '/etcdserverpb.KV/Txn';

export const asBytes = (bytes: Buffer): Buffer => bytes;
