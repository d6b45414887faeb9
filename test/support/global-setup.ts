import { findEtcd } from '../../lib/testing/etcd/etcd-binary.js';

/** Fetches etcd before the workers start, so that they find it in the cache, and prints its version. */
export default async function globalSetup(): Promise<void> {
  const { version, source, path } = await findEtcd({ log: print });
  print(`tests run on etcd ${version} (${source}: ${path})`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
