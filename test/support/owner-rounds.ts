import { expect } from 'vitest';
import { eventually } from './eventually.js';
import type { OwnEtcd } from './own-etcd.js';
import type { PodProcess } from './pod-process.js';
import {
  fail,
  faultOf,
  interrupt,
  POD_FAULTS,
  POD_ROUNDS,
  type PodFault,
  repair,
  reportRounds,
  resume,
  takeOverLimitMs,
} from './pod-rounds.js';
import type { Pods } from './pods.js';
import { startApp } from './start-app.js';
import { TakeOvers } from './take-overs.js';

/** A process, and the token with which it was the owner. */
export interface PastOwner {
  readonly pod: PodProcess;
  readonly token: number;
}

export interface OwnerRoundsOptions {
  /** Processes that print what `writeWithFence` of `test/fixtures/fenced-writes.mjs` does. */
  readonly pods: Pods;
  /** For the report. */
  readonly subject: string;
  /** The first key that was created below this prefix is that of the owner. */
  readonly prefix: string;
}

/** So many that each fault meets an owner at work. */
const WRITES_BETWEEN_FAULTS = 20;

/** Milliseconds of the clock that all processes of the machine share. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

/**
 * Lets the owner of something fail in each round, and checks that there is one owner at a time, that no past owner has
 * written, and that another one takes over in time. Returns the past owners that are still running.
 */
export async function runOwnerRounds(
  etcd: OwnEtcd,
  { pods, subject, prefix }: OwnerRoundsOptions,
): Promise<PastOwner[]> {
  const owners = new Owners(etcd, pods, prefix);
  await using observer = await startApp({ hosts: etcd.hosts });
  const effects: number[] = [];
  await observer.watcher.watch({ key: '/effects' }, ({ value }) => {
    effects.push(Number(value));
  });
  const moreEffects = async (): Promise<void> => {
    const before = effects.length;
    await eventually(() => effects.length > before + WRITES_BETWEEN_FAULTS);
  };
  await using takeOvers = new TakeOvers(etcd, pods);
  const pastOwners: PastOwner[] = [];
  for (let round = 0; round < POD_ROUNDS; round += 1) {
    const fault = faultOf(round, POD_FAULTS);
    await pods.ready();
    await moreEffects();
    await takeOvers.begin();
    const { pod, token, interruptedAt } = await owners.interrupt(fault);
    await fail(pod, fault);
    const tookMs = (await owners.nextAfter(token)) - interruptedAt;
    await takeOvers.end(fault, { tookMs, limitMs: takeOverLimitMs(fault) });
    await repair(pods, pod);
    if (pod.isEnded) continue;
    const isRefused = (): boolean => pod.output.includes(`refused ${token} ETCD_FENCE_LOST `);
    // It may have ended its work right before the interruption.
    await eventually(() => isRefused() || has(pod, 'ended', token) || writesOfPastOwners(effects).length > 0);
    if (isRefused()) pastOwners.push({ pod, token });
  }
  await moreEffects();

  reportOwners(subject, { pods, effects, takeOvers });
  checkOwners(pods, effects);
  for (const { pod, token } of pastOwners) expect(pod.output).toContain(`refused ${token} ETCD_FENCE_LOST held=false`);
  expect(pastOwners.length).toBeGreaterThan(0);
  expect(takeOvers.late).toEqual([]);
  return pastOwners;
}

/** The owners of something, as etcd and the processes see them. */
class Owners {
  readonly #etcd: OwnEtcd;
  readonly #pods: Pods;
  readonly #prefix: string;

  constructor(etcd: OwnEtcd, pods: Pods, prefix: string) {
    this.#etcd = etcd;
    this.#pods = pods;
    this.#prefix = prefix;
  }

  /** Interrupts the owner. Resumes it and tries again if it has ended its work meanwhile. */
  interrupt(fault: PodFault): Promise<PastOwner & { readonly interruptedAt: number }> {
    return eventually(async () => {
      const { pod, token } = await this.#current();
      if (!has(pod, 'acquired', token)) throw new Error(`${pod.name} does not know yet that it is the owner`);
      interrupt(pod, fault);
      const interruptedAt = now();
      if ((await this.#current()).token === token) return { pod, token, interruptedAt };
      resume(pod);
      throw new Error(`${pod.name} has ended its work meanwhile`);
    });
  }

  /** Resolves when a later process is the owner, to the time of that. */
  nextAfter(token: number): Promise<number> {
    return eventually(() => {
      const [first] = ascending(
        this.#pods
          .numbers('acquired')
          .filter(([later = 0]) => later > token)
          .map(([, at = 0]) => at),
      );
      if (first === undefined) throw new Error(`there is no owner after ${token}`);
      return first;
    });
  }

  async #current(): Promise<PastOwner> {
    const { kvs } = await this.#etcd.direct.getAll().prefix(this.#prefix).exec();
    const [first] = kvs.sort((a, b) => Number(a.create_revision) - Number(b.create_revision));
    if (!first) throw new Error('there is no owner');
    const { pod } = JSON.parse(first.value.toString()) as { readonly pod: string };
    return { pod: this.#pods.get(pod), token: Number(first.create_revision) };
  }
}

function reportOwners(
  subject: string,
  { pods, effects, takeOvers }: { pods: Pods; effects: readonly number[]; takeOvers: TakeOvers },
): void {
  const samples = pods.numbers('held');
  reportRounds(subject, {
    owners: pods.numbers('acquired').length,
    'samples of held': samples.length,
    'held at once': overlaps(samples).length,
    'fenced writes': effects.length,
    'writes of a past owner': writesOfPastOwners(effects).length,
    ...takeOvers.figures,
  });
}

/** @param effects the tokens of all fenced writes that etcd has applied, in their order */
function checkOwners(pods: Pods, effects: readonly number[]): void {
  const tokens = pods
    .numbers('acquired')
    .sort(([, a = 0], [, b = 0]) => a - b)
    .map(([token = 0]) => token);
  expect(tokens).toEqual(ascending([...new Set(tokens)]));
  expect(writesOfPastOwners(effects)).toEqual([]);
  expect(overlaps(pods.numbers('held'))).toEqual([]);
}

const writesOfPastOwners = (tokens: readonly number[]): number[] =>
  tokens.filter((token, index) => token < (tokens[index - 1] ?? 0));

const has = (pod: PodProcess, word: string, token: number): boolean =>
  pod.numbers(word).some(([each]) => each === token);

/**
 * Something is held from its first sample to its last one: at least from the end of the first reading to the beginning
 * of the last one. Returns the pairs of tokens that are held at once.
 *
 * @param samples token, begin and end of each reading that was true
 */
function overlaps(samples: readonly (readonly number[])[]): [number, number][] {
  const intervals = new Map<number, { from: number; to: number }>();
  for (const [token = 0, begin = 0, end = 0] of samples) {
    const interval = intervals.get(token);
    if (interval) interval.to = begin;
    else intervals.set(token, { from: end, to: begin });
  }
  const all = [...intervals].filter(([, { from, to }]) => from < to);
  return all.flatMap(([one, a], index) =>
    all
      .slice(index + 1)
      .filter(([, b]) => a.from < b.to && b.from < a.to)
      .map(([other]): [number, number] => [one, other]),
  );
}
