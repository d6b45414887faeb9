import { WriteError } from 'nestjs-etcd-trigger';
import { eventually } from '../../support/eventually.js';
import type { Scenario } from './fault.js';
import { compactWhileConnected, compactWhileCutOff, restore, wipe } from './history-scenarios.js';
import type { Laboratory } from './laboratory.js';
import { writerOf } from './operation.js';

/** Runs a scenario until the listeners follow again. */
export async function runScenario(scenario: Scenario, lab: Laboratory, writes: number): Promise<void> {
  switch (scenario.kind) {
    case 'compaction while connected':
      return compactWhileConnected(lab, writes);
    case 'compaction while cut off':
      return compactWhileCutOff(lab, writes);
    case 'lagging member':
      return connectToLaggingMember(lab, scenario.because);
    case 'backlog':
      return cutDuringCatchUp(lab, scenario.bytes);
    case 'lost responses':
      return loseResponses(lab);
    case 'black hole':
      return openBlackHole(lab, writes);
    case 'stuck listener':
      return blockListener(lab, writes, scenario);
    case 'restore':
      return restore(lab, writes, scenario.grows);
    case 'wipe':
      return wipe(lab, scenario.grows);
    case 'token expiry':
      return expireTokens(lab);
    case 'certificate reload':
      return reloadCertificates(lab);
    case 'oversized write':
      return sendOversizedWrite(lab);
  }
}

async function connectToLaggingMember(lab: Laboratory, because: 'stopped' | 'slow replication'): Promise<void> {
  const { cluster } = lab;
  const lagging = (lab.injector.servingMember + 1) % cluster.members.length;
  const [member, proxy] = [cluster.members[lagging], cluster.proxies[lagging]];
  if (!member || !proxy) throw new Error(`there is no member ${lagging}`);
  if (because === 'stopped') member.pause();
  else cluster.isolate(lagging, 'slow');
  await lab.workload.flood(3);
  await lab.measureRecovery([], performance.now());
  const before = proxy.accepted;
  const others = cluster.proxies.filter((each) => each !== proxy);
  for (const other of others) {
    other.refuse();
    other.cut();
  }
  await eventually(() => proxy.accepted > before, { withinMs: 60_000 });
  // Time in which the library compares its state with the lagging member's.
  await lab.workload.afterMore(30);
  const since = performance.now();
  member.resume();
  cluster.rejoin();
  await lab.measureRecovery(['lagging member'], since);
  for (const other of others) await other.accept();
}

async function cutDuringCatchUp(lab: Laboratory, bytes: number): Promise<void> {
  const accept = lab.cluster.cutOff();
  await lab.workload.flood(12);
  for (const proxy of lab.cluster.proxies) proxy.cutAfter(bytes);
  await accept();
  await lab.measureRecovery(['backlog'], performance.now());
  for (const proxy of lab.cluster.proxies) proxy.cutAfter(Infinity);
}

async function loseResponses(lab: Laboratory): Promise<void> {
  const { proxies } = lab.cluster;
  for (const proxy of proxies) proxy.freeze('down');
  const wasApplied = (): boolean => {
    const { current } = lab.recorder.storeHistory;
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
  await lab.measureRecovery(['lost responses'], performance.now());
}

/** Freezes the serving member's link and the next one. Only their silence shows it. */
async function openBlackHole(lab: Laboratory, writes: number): Promise<void> {
  const { proxies } = lab.cluster;
  const { servingMember } = lab.injector;
  const frozen = [servingMember, (servingMember + 1) % proxies.length].flatMap((index) => proxies[index] ?? []);
  for (const proxy of frozen) proxy.freeze();
  const since = performance.now();
  await lab.workload.afterMore(writes);
  await lab.measureRecovery(['black hole'], since);
  for (const proxy of frozen) proxy.thaw();
}

async function blockListener(
  lab: Laboratory,
  writes: number,
  { kind, outlasts, loses }: Scenario & { readonly kind: 'stuck listener' },
): Promise<void> {
  lab.app.stall();
  const since = performance.now();
  await lab.workload.flood(10);
  await lab.workload.afterMore(writes);
  await lab.measureRecovery([kind], since);
  lab.app.checkQueues();
  if (outlasts) {
    // The library closes the listener's separate stream, because the server would buffer everything that is not read.
    const others = lab.app.targets + lab.cluster.members.length;
    await eventually(async () => (await lab.cluster.watchers()) === others, { withinMs: 60_000 });
  }
  if (loses) await compactWhileCutOff(lab, writes, kind);
  else {
    for (const proxy of lab.cluster.proxies) proxy.cut();
    await lab.workload.flood(1);
  }
  lab.app.resume();
}

/** Using a token extends its lifetime, so the workload pauses until the most recent token has expired. */
async function expireTokens(lab: Laboratory): Promise<void> {
  await lab.workload.pause();
  await lab.cluster.waitForTokenExpiry();
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.measureRecovery(['token expiry'], performance.now());
  lab.workload.start();
  await lab.workload.afterMore(20);
}

async function reloadCertificates(lab: Laboratory): Promise<void> {
  await lab.cluster.renewCertificate();
  for (const proxy of lab.cluster.proxies) proxy.cut();
  await lab.measureRecovery(['certificate reload'], performance.now());
}

/** The library must reject the write before it sends any byte of it. */
async function sendOversizedWrite(lab: Laboratory): Promise<void> {
  const { proxies } = lab.cluster;
  const sent = (): number => proxies.reduce((sum, { bytesUp }) => sum + bytesUp, 0);
  const before = sent();
  const value = Buffer.alloc(1.6 * 1024 * 1024);
  const error: unknown = await lab.app.watcher.put('/lab/app/oversized', value).catch((cause: unknown) => cause);
  if (!(error instanceof WriteError)) lab.addViolation(`oversized write: the result was ${String(error)}`);
  if (sent() - before > value.length / 2) lab.addViolation('oversized write: it was sent');
}
