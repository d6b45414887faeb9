import { findEtcd } from '../../lib/testing/etcd/etcd-binary.js';

/** Gets etcd once, before the workers start, so that each finds it in the cache; and names the version that the tests run on. */
export default async function globalSetup(): Promise<void> {
  const { version, source, path } = await findEtcd({ log: tell });
  tell(`tests run on etcd ${version} (${source}: ${path})`);
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
