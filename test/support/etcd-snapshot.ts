import { rm } from 'node:fs/promises';
import type { EtcdMember } from 'nestjs-etcd-trigger/testing';
import { run } from '../../lib/testing/etcd/command.js';
import { findProgram } from '../../lib/testing/etcd/etcd-binary.js';
import { type EtcdProgram, withoutEtcdOptions } from '../../lib/testing/etcd/etcd-program.js';

const ETCDCTL: EtcdProgram = {
  name: 'etcdctl',
  variable: 'ETCDCTL_BIN',
  aptPackage: 'etcd-client',
  versionArguments: ['version'],
  versionPattern: /etcdctl version: (\d+\.\d+\.\d+\S*)/,
};
/** Of the clusters whose snapshots are restored: with another token, a restored store is another cluster. */
const TOKEN = 'restored';

/** Options of a cluster whose snapshots can be restored. etcdctl 3.5.10 and later can raise the revision. */
export const RESTORABLE = { version: '3.5', args: [`--initial-cluster-token=${TOKEN}`] } as const;

/** `bumped`: with a revision above all earlier ones, so that no revision is used twice. */
export type RestoreKind = 'plain' | 'bumped';

/** A snapshot of the only member of a cluster, made and restored with etcdctl. */
export class EtcdSnapshot {
  private constructor(
    readonly member: EtcdMember,
    readonly file: string,
  ) {}

  static async save(member: EtcdMember, file: string): Promise<EtcdSnapshot> {
    await rm(file, { force: true });
    await etcdctl(`--endpoints=${member.endpoint}`, 'snapshot', 'save', file);
    return new EtcdSnapshot(member, file);
  }

  /** Kills the member, and starts it with the store of the snapshot. */
  async restore(kind: RestoreKind): Promise<void> {
    const { member, file } = this;
    const url = `http://127.0.0.1:${member.peerPort}`;
    await member.wipe();
    await etcdctl(
      ...['snapshot', 'restore', file, `--data-dir=${member.dataDirectory}`, `--name=${member.name}`],
      ...[`--initial-cluster=${member.name}=${url}`, `--initial-advertise-peer-urls=${url}`],
      ...[`--initial-cluster-token=${TOKEN}`],
      ...(kind === 'bumped' ? ['--bump-revision=1000000000', '--mark-compacted'] : []),
    );
    await member.start();
  }
}

/** Finds etcdctl like etcd itself, or fetches it. */
async function etcdctl(...args: readonly string[]): Promise<void> {
  const log = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const { path } = await findProgram(ETCDCTL, { version: RESTORABLE.version, log });
  await run(path, args, { env: { ...withoutEtcdOptions(process.env), ETCDCTL_API: '3' } });
}
