import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { TemporaryFolder } from '../../support/temporary-folder.js';
import type { Scenario } from './fault.js';
import type { Laboratory } from './laboratory.js';

export async function compactWhileConnected(lab: Laboratory, writes: number): Promise<void> {
  const revision = await lab.workload.touch();
  await lab.waitUntilDelivered(revision);
  await compact(lab, revision);
  await lab.workload.afterMore(writes);
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.measureRecovery(['compaction while connected'], performance.now());
}

/** Compacts revisions that were written while every listener was disconnected. */
export async function compactWhileCutOff(
  lab: Laboratory,
  writes: number,
  kind: Scenario['kind'] = 'compaction while cut off',
): Promise<void> {
  const accept = lab.cluster.cutOff();
  await lab.workload.touch();
  await lab.workload.afterMore(writes);
  const revision = await lab.workload.touch();
  await compact(lab, revision);
  lab.app.recordLoss({ kind: 'compacted', revision });
  await accept();
  await lab.measureRecovery([kind], performance.now());
}

/** Takes an offline backup of the stopped cluster and restores it later. */
export async function restore(lab: Laboratory, writes: number, grows: boolean): Promise<void> {
  const { members } = lab.cluster;
  const folder = await TemporaryFolder.create('etcd-lab');
  try {
    await waitUntilIdle(lab);
    await Promise.all(members.map((member) => member.kill()));
    await Promise.all(
      members.map(({ dataDirectory, name }) => cp(dataDirectory, join(folder.path, name), { recursive: true })),
    );
    await Promise.all(members.map((member) => member.start()));
    lab.workload.start();
    await lab.workload.afterMore(writes);
    await replaceStore(lab, 'restore', grows, async () => {
      await Promise.all(members.map((member) => member.wipe()));
      await Promise.all(
        members.map(({ dataDirectory, name }) => cp(join(folder.path, name), dataDirectory, { recursive: true })),
      );
      await Promise.all(members.map((member) => member.start()));
    });
  } finally {
    // Not `await using`: the laboratory also runs outside of vitest, on versions of Node without it.
    await folder[Symbol.asyncDispose]();
  }
}

export const wipe = (lab: Laboratory, grows: boolean): Promise<void> =>
  replaceStore(lab, 'wipe', grows, () => lab.cluster.etcd.wipe());

async function replaceStore(
  lab: Laboratory,
  kind: Scenario['kind'],
  grows: boolean,
  replace: () => Promise<void>,
): Promise<void> {
  await waitUntilIdle(lab);
  const accept = grows ? lab.cluster.cutOff() : (): Promise<void> => Promise.resolve();
  await lab.recorder.pause();
  const { storeHistory } = lab.recorder;
  const { head } = storeHistory.current;
  // The listeners may connect to the new store as soon as it starts.
  lab.app.recordLoss({ kind: 'replaced', incarnation: storeHistory.incarnations.length });
  lab.writeChecker.storeReplaced();
  await replace();
  await lab.recorder.begin();
  if (grows) await lab.workload.growPast(head);
  await accept();
  await lab.measureRecovery([kind], performance.now());
  lab.workload.start();
  await lab.workload.afterMore(20);
}

/**
 * Stops the workload, waits until no lease is left that could expire and delete keys, and runs all checks. So every
 * listener has received everything when the store is replaced.
 */
async function waitUntilIdle(lab: Laboratory): Promise<void> {
  await lab.workload.pause();
  await eventually(
    async () => {
      const [member] = lab.cluster.direct;
      const response = await member?.call<{ leases: readonly unknown[] }>('Lease', 'LeaseLeases', {});
      return response?.leases.length === 0;
    },
    { withinMs: 60_000 },
  );
  await lab.check();
}

async function compact(lab: Laboratory, revision: number): Promise<void> {
  await lab.recorder.reached(revision);
  await eventually(async () => {
    const [member] = lab.cluster.direct;
    await member?.call('KV', 'Compact', { revision: String(revision), physical: true });
  });
}
