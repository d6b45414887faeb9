import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WriteError } from 'nestjs-etcd-trigger';
import { eventually } from '../../support/eventually.js';
import type { Ordeal } from './fault.js';
import type { Loss } from './history.js';
import type { Laboratory } from './laboratory.js';
import { writerOf } from './operation.js';

/** Carries an ordeal through to where the listeners follow again. */
export async function undergo(ordeal: Ordeal, lab: Laboratory, writes: number): Promise<void> {
  switch (ordeal.kind) {
    case 'compaction while connected':
      return compactWhileConnected(lab, writes);
    case 'compaction while cut off':
      return compactWhileCutOff(lab, writes);
    case 'lagging member':
      return leaveOnlyALaggingMember(lab, ordeal.because);
    case 'backlog':
      return cutACatchUp(lab, ordeal.bytes);
    case 'lost answers':
      return loseAnswers(lab);
    case 'black hole':
      return openABlackHole(lab, writes);
    case 'stuck listener':
      return stickAListener(lab, writes, ordeal.outlasts);
    case 'restore':
      return restore(lab, writes, ordeal.grows);
    case 'wipe':
      return wipe(lab, ordeal.grows);
    case 'token expiry':
      return letTokensExpire(lab);
    case 'certificate reload':
      return reloadCertificates(lab);
    case 'oversized write':
      return writeTooMuch(lab);
  }
}

async function compactWhileConnected(lab: Laboratory, writes: number): Promise<void> {
  const revision = await lab.workload.touch();
  await lab.given(revision);
  await compact(lab, revision);
  await lab.workload.afterMore(writes);
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.following(['compaction while connected'], performance.now());
}

/** What is written after the cut reaches nobody: compacted, it is lost for everybody. */
async function compactWhileCutOff(lab: Laboratory, writes: number): Promise<void> {
  const accept = cutOff(lab);
  await lab.workload.touch();
  await lab.workload.afterMore(writes);
  const revision = await lab.workload.touch();
  await compact(lab, revision);
  lose(lab, { kind: 'compacted', revision });
  await accept();
  await lab.following(['compaction while cut off'], performance.now());
}

async function leaveOnlyALaggingMember(lab: Laboratory, because: 'stopped' | 'told late'): Promise<void> {
  const { cluster } = lab;
  const lagging = (lab.injector.followed + 1) % cluster.members.length;
  const [member, proxy] = [cluster.members[lagging], cluster.proxies[lagging]];
  if (!member || !proxy) throw new Error(`there is no member ${lagging}`);
  if (because === 'stopped') member.pause();
  else cluster.isolate(lagging, 'slow');
  await lab.workload.flood(3);
  await lab.following([], performance.now());
  const before = proxy.accepted;
  const others = cluster.proxies.filter((each) => each !== proxy);
  for (const other of others) {
    other.refuse();
    other.cut();
  }
  await eventually(() => proxy.accepted > before, { withinMs: 60_000 });
  // Time in which what the listeners know is compared with what the member has.
  await lab.workload.afterMore(30);
  const since = performance.now();
  member.resume();
  cluster.rejoin();
  await lab.following(['lagging member'], since);
  for (const other of others) await other.accept();
}

async function cutACatchUp(lab: Laboratory, bytes: number): Promise<void> {
  const accept = cutOff(lab);
  await lab.workload.flood(12);
  for (const proxy of lab.cluster.proxies) proxy.cutAfter(bytes);
  await accept();
  await lab.following(['backlog'], performance.now());
  for (const proxy of lab.cluster.proxies) proxy.cutAfter(Infinity);
}

async function loseAnswers(lab: Laboratory): Promise<void> {
  const { proxies } = lab.cluster;
  for (const proxy of proxies) proxy.freeze('down');
  const wasApplied = (): boolean => {
    const { current } = lab.recorder.truth;
    for (let revision = current.head; revision >= current.first && revision > current.head - 500; revision -= 1) {
      const isOurs = ({ value }: { value: string | undefined }): boolean =>
        value !== undefined && lab.workload.inFlight.has(writerOf(value) ?? '');
      if (current.changesAt(revision).some(isOurs)) return true;
    }
    return false;
  };
  await eventually(wasApplied, { withinMs: 60_000 });
  for (const proxy of proxies) proxy.cut();
  for (const proxy of proxies) proxy.thaw();
  await lab.following(['lost answers'], performance.now());
}

/** The member that is followed goes silent and then breaks, and so does the one that is tried next. */
async function openABlackHole(lab: Laboratory, writes: number): Promise<void> {
  const { proxies } = lab.cluster;
  const { followed } = lab.injector;
  const frozen = [followed, (followed + 1) % proxies.length].flatMap((index) => proxies[index] ?? []);
  for (const proxy of frozen) proxy.freeze();
  const since = performance.now();
  frozen[0]?.cut();
  await lab.workload.afterMore(writes);
  await lab.following(['black hole'], since);
  for (const proxy of frozen) proxy.thaw();
}

async function stickAListener(lab: Laboratory, writes: number, outlasts: boolean): Promise<void> {
  lab.app.stall();
  const since = performance.now();
  await lab.workload.flood(10);
  await lab.workload.afterMore(writes);
  await lab.following(['stuck listener'], since);
  lab.app.checkQueues();
  if (outlasts) {
    // Its own stream is given up, for the server would keep what it does not read.
    const others = lab.app.targets + lab.cluster.members.length;
    await eventually(async () => (await lab.cluster.watchers()) === others, { withinMs: 60_000 });
  }
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.workload.flood(1);
  lab.app.goOn();
}

/** An offline copy of a stopped cluster is taken, and put back later. */
async function restore(lab: Laboratory, writes: number, grows: boolean): Promise<void> {
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

const wipe = (lab: Laboratory, grows: boolean): Promise<void> =>
  replaceStore(lab, 'wipe', grows, () => lab.cluster.etcd.wipe());

async function replaceStore(
  lab: Laboratory,
  kind: Ordeal['kind'],
  grows: boolean,
  replace: () => Promise<void>,
): Promise<void> {
  await rest(lab);
  const accept = grows ? cutOff(lab) : (): Promise<void> => Promise.resolve();
  await lab.recorder.pause();
  const { head } = lab.recorder.truth.current;
  await replace();
  const past = await lab.recorder.begin();
  lab.ledger.replaced();
  lose(lab, { kind: 'replaced', past });
  if (grows) await lab.workload.growPast(head);
  await accept();
  await lab.following([kind], performance.now());
  lab.workload.start();
  await lab.workload.afterMore(20);
}

/** Using a token prolongs its life, therefore nobody writes until one that was issued last of all has expired. */
async function letTokensExpire(lab: Laboratory): Promise<void> {
  await lab.workload.pause();
  await lab.cluster.tokensExpired();
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.following(['token expiry'], performance.now());
  lab.workload.start();
  await lab.workload.afterMore(20);
}

async function reloadCertificates(lab: Laboratory): Promise<void> {
  await lab.cluster.renewCertificate();
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.following(['certificate reload'], performance.now());
}

/** It is refused before a byte of it is sent. */
async function writeTooMuch(lab: Laboratory): Promise<void> {
  const { proxies } = lab.cluster;
  const sent = (): number => proxies.reduce((sum, { bytesUp }) => sum + bytesUp, 0);
  const before = sent();
  const value = Buffer.alloc(1.6 * 1024 * 1024);
  const refusal: unknown = await lab.app.watcher.put('/lab/app/oversized', value).catch((error: unknown) => error);
  if (!(refusal instanceof WriteError)) lab.found(`oversized write: it was answered with ${String(refusal)}`);
  if (sent() - before > value.length / 2) lab.found('oversized write: it was sent');
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

/** Nobody is connected and nobody gets in until what is returned is called. */
function cutOff(lab: Laboratory): () => Promise<void> {
  const { proxies } = lab.cluster;
  for (const proxy of proxies) {
    proxy.refuse();
    proxy.cut();
  }
  return async () => {
    for (const proxy of proxies) await proxy.accept();
  };
}

function lose(lab: Laboratory, loss: Loss): void {
  for (const { log } of lab.app.listeners) log.lost(loss);
}

async function compact(lab: Laboratory, revision: number): Promise<void> {
  await lab.recorder.reached(revision);
  await eventually(async () => {
    const [member] = lab.cluster.direct;
    await member?.call('KV', 'Compact', { revision: String(revision), physical: true });
  });
}
