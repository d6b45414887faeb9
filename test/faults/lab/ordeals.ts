import { WriteError } from 'nestjs-etcd-trigger';
import { eventually } from '../../support/eventually.js';
import type { Ordeal } from './fault.js';
import { compactWhileConnected, compactWhileCutOff, restore, wipe } from './history-ordeals.js';
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
      return stickAListener(lab, writes, ordeal);
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
  const accept = lab.cluster.cutOff();
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

async function stickAListener(
  lab: Laboratory,
  writes: number,
  { kind, outlasts, loses }: Ordeal & { readonly kind: 'stuck listener' },
): Promise<void> {
  lab.app.stall();
  const since = performance.now();
  await lab.workload.flood(10);
  await lab.workload.afterMore(writes);
  await lab.following([kind], since);
  lab.app.checkQueues();
  if (outlasts) {
    // Its own stream is given up, for the server would keep what it does not read.
    const others = lab.app.targets + lab.cluster.members.length;
    await eventually(async () => (await lab.cluster.watchers()) === others, { withinMs: 60_000 });
  }
  if (loses) await compactWhileCutOff(lab, writes, kind);
  else {
    for (const proxy of lab.cluster.proxies) proxy.cut();
    await lab.workload.flood(1);
  }
  lab.app.goOn();
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
