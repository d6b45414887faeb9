import { setTimeout as sleep } from 'node:timers/promises';
import type { CandidateActivity } from '../../backend/cluster-backend.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { ClusterRuntime } from '../../module/cluster.runtime.js';
import { checkArgument } from '../argument-checks.js';
import { NotSettledError } from '../etcd-testing.errors.js';
import type { SettlingApplication } from '../settling-application.js';
import type { FakeBackend } from './fake-backend.js';

const LIMIT_MS = 5_000;
const POLL_INTERVAL_MS = 1;

/**
 * Makes an application the leader of an election among all applications on a fake.
 * @throws as `FakeCluster.elect`
 */
export async function electLeader(
  name: string,
  application: SettlingApplication,
  backends: Iterable<FakeBackend>,
): Promise<void> {
  checkArgument('elect()', typeof name === 'string', 'pass the name of an election as a string');
  const candidates = Array.from(backends, (backend) => candidatesOf(name, backend)).flat();
  const own = runtimesOf(application).flatMap(({ activity }) => activity.candidates ?? []);
  const winner = candidates.find(({ candidate }) => own.includes(candidate));
  if (!winner) {
    throw new InvalidOptionsError(
      `elect(${quoted(name)}): the application is no candidate in this election on this fake: it needs @OnElected or @InjectElection, and init()`,
    );
  }
  const rivals = candidates.filter(({ key }) => key === winner.key).map(({ candidate }) => candidate);
  const others = rivals.filter((candidate) => candidate !== winner.candidate);
  try {
    await untilLeader(winner.candidate, others);
  } catch (error) {
    for (const other of others) other.endStandby();
    throw error;
  }
}

/** Applications with different prefixes have different elections of one name. */
const candidatesOf = (name: string, backend: FakeBackend): { candidate: CandidateActivity; key: string }[] =>
  (backend.activity().candidates ?? [])
    .filter((candidate) => candidate.name === name)
    .map((candidate) => ({ candidate, key: backend.wholeKeyOf(candidate.range) }));

/** A candidate may be about to claim the election when `standBy` is called, so the call is repeated. */
async function untilLeader(winner: CandidateActivity, others: readonly CandidateActivity[]): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (!winner.isLeader) {
    if (performance.now() >= deadline) {
      throw new NotSettledError(LIMIT_MS, [`${quoted(winner.name)}: no term`], 'elect()');
    }
    for (const other of others) other.standBy();
    winner.endStandby();
    await sleep(POLL_INTERVAL_MS);
  }
}

function runtimesOf(application: SettlingApplication): ClusterRuntime[] {
  try {
    return application.get(ClusterRuntime, { strict: false, each: true });
  } catch (cause) {
    throw new InvalidOptionsError('elect() needs an application that imports EtcdTriggerModule', { cause });
  }
}
