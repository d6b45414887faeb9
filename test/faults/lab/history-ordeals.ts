import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import type { Ordeal } from './fault.js';
import type { Laboratory } from './laboratory.js';

export async function compactWhileConnected(lab: Laboratory, writes: number): Promise<void> {
  const revision = await lab.workload.touch();
  await lab.given(revision);
  await compact(lab, revision);
  await lab.workload.afterMore(writes);
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.following(['compaction while connected'], performance.now());
}

/** What is written after the cut reaches nobody: compacted, it is lost for everybody. */
export async function compactWhileCutOff(
  lab: Laboratory,
  writes: number,
  kind: Ordeal['kind'] = 'compaction while cut off',
): Promise<void> {
  const accept = lab.cluster.cutOff();
  await lab.workload.touch();
  await lab.workload.afterMore(writes);
  const revision = await lab.workload.touch();
  await compact(lab, revision);
  lab.app.lost({ kind: 'compacted', revision });
  await accept();
  await lab.following([kind], performance.now());
}

/** An offline copy of a stopped cluster is taken, and put back later. */
export async function restore(lab: Laboratory, writes: number, grows: boolean): Promise<void> {
  const { members } = lab.cluster;
  const folder = await mkdtemp(join(tmpdir(), 'etcd-lab-'));
  try {
    await rest(lab);
    await Promise.all(members.map((member) => member.kill()));
    await Promise.all(
      members.map(({ dataDirectory, name }) => cp(dataDirectory, join(folder, name), { recursive: true })),
    );
    await Promise.all(members.map((member) => member.start()));
    lab.workload.start();
    await lab.workload.afterMore(writes);
    await replaceStore(lab, 'restore', grows, async () => {
      await Promise.all(members.map((member) => member.wipe()));
      await Promise.all(
        members.map(({ dataDirectory, name }) => cp(join(folder, name), dataDirectory, { recursive: true })),
      );
      await Promise.all(members.map((member) => member.start()));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const wipe = (lab: Laboratory, grows: boolean): Promise<void> =>
  replaceStore(lab, 'wipe', grows, () => lab.cluster.etcd.wipe());

async function replaceStore(
  lab: Laboratory,
  kind: Ordeal['kind'],
  grows: boolean,
  replace: () => Promise<void>,
): Promise<void> {
  await rest(lab);
  const accept = grows ? lab.cluster.cutOff() : (): Promise<void> => Promise.resolve();
  await lab.recorder.pause();
  const { truth } = lab.recorder;
  const { head } = truth.current;
  // The listeners may see the other store as soon as it is there.
  lab.app.lost({ kind: 'replaced', past: truth.pasts.length });
  lab.ledger.replaced();
  await replace();
  await lab.recorder.begin();
  if (grows) await lab.workload.growPast(head);
  await accept();
  await lab.following([kind], performance.now());
  lab.workload.start();
  await lab.workload.afterMore(20);
}

/** Everything has been compared, and no lease will write any more. */
async function rest(lab: Laboratory): Promise<void> {
  await lab.settle();
  await eventually(
    async () => {
      const [member] = lab.cluster.direct;
      const answer = await member?.call<{ leases: readonly unknown[] }>('Lease', 'LeaseLeases', {});
      return answer?.leases.length === 0;
    },
    { withinMs: 60_000 },
  );
}

async function compact(lab: Laboratory, revision: number): Promise<void> {
  await lab.recorder.reached(revision);
  await eventually(async () => {
    const [member] = lab.cluster.direct;
    await member?.call('KV', 'Compact', { revision: String(revision), physical: true });
  });
}
