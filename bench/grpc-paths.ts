/** Method paths of etcd, for the programs that send and receive undecoded messages. */
export const WATCH_PATH = '/etcdserverpb.Watch/Watch';
export const RANGE_PATH = '/etcdserverpb.KV/Range';
export const TXN_PATH = '/etcdserverpb.KV/Txn';

export const asBytes = (bytes: Buffer): Buffer => bytes;
