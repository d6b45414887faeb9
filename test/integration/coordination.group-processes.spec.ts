import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { FixtureProcess } from '../support/fixture-process.js';
import { ownEtcd } from '../support/own-etcd.js';
import { POD_ROUNDS, POD_TIMEOUT_MS, reportRounds } from '../support/pod-rounds.js';
import { TakeOvers } from '../support/take-overs.js';

const PROCESSES = 3;
const KEYS = 8;
/** The long run also covers effects without a commit. */
const MODES = process.env.POD_ROUNDS === undefined ? ['commit'] : ['commit', 'fenced'];
const PARTITIONS = 4;

/** Processes of one group, which are replaced when they die. */
class Pods implements AsyncDisposable {
  readonly byName = new Map<string, FixtureProcess>();
  readonly #hosts: readonly string[];
  readonly #mode: string;
  #started = 0;

  constructor(hosts: readonly string[], mode: string) {
    this.#hosts = hosts;
    this.#mode = mode;
    for (let index = 0; index < PROCESSES; index += 1) this.start();
  }

  start(): void {
    const name = `pod-${(this.#started += 1)}`;
    this.byName.set(name, new FixtureProcess('group.mjs', this.#hosts.join(), name, this.#mode));
  }

  async end(name: string, signal: NodeJS.Signals): Promise<void> {
    await this.byName.get(name)?.end(signal);
    this.byName.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.byName.values(), (each) => each[Symbol.asyncDispose]()));
  }
}

describe('a handler group of several processes', () => {
  const etcd = ownEtcd();

  const owners = async (): Promise<string[]> => {
    const { kvs } = await etcd.direct.getAll().prefix('/coordination/v1/groups/billing/owners/').exec();
    return kvs.map(({ value }) => (JSON.parse(value.toString()) as { readonly pod: string }).pod);
  };
  /** Number of writes of each effect. */
  const effects = async (): Promise<Map<string, number>> => {
    const { kvs } = await etcd.direct.getAll().prefix('/effects/').exec();
    return new Map(kvs.map(({ key, version }) => [key.toString(), Number(version)]));
  };

  it.each(MODES)(
    'handles each write (%s) while its processes are killed, stopped and replaced',
    { timeout: POD_TIMEOUT_MS },
    async (mode) => {
      await using pods = new Pods(etcd.hosts, mode);
      await eventually(async () => (await owners()).length === PARTITIONS);
      let written = 0;
      let isWriting = true;
      const writing = (async () => {
        while (isWriting) {
          const batch = Array.from({ length: KEYS }, (_, index) =>
            etcd.put(`/orders/${index}`, String((written += 1))),
          );
          await Promise.all(batch);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })();
      const handled = async (): Promise<number> => (await effects()).size;
      await using takeOvers = new TakeOvers(() => etcd.direct.get('/').exec());
      for (let round = 0; round < POD_ROUNDS; round += 1) {
        const before = await handled();
        await eventually(async () => (await handled()) > before);
        const [owner = ''] = await owners();
        const stopped = pods.byName.get(owner);
        takeOvers.begin();
        const begin = performance.now();
        if (round % 3 === 0) await pods.end(owner, 'SIGKILL');
        else if (round % 3 === 1) stopped?.signal('SIGSTOP');
        else await pods.end(owner, 'SIGTERM');
        if (!pods.byName.has(owner)) pods.start();
        await eventually(async () => {
          const present = await owners();
          return present.length === PARTITIONS && !present.includes(owner);
        });
        // A pod that ends in an orderly way lets the others in before.
        if (round % 3 < 2) takeOvers.add(performance.now() - begin);
        if (round % 3 === 1) stopped?.signal('SIGCONT');
      }
      isWriting = false;
      await writing;
      await eventually(async () => {
        expect(await handled()).toBe(written);
      });

      const counts = [...(await effects()).values()];
      const repeated = counts.filter((count) => count > 1).length;
      reportRounds(`group, ${mode}`, { writes: written, effects: counts.length, repeated, ...takeOvers.figures });
      expect(counts).toHaveLength(written);
      if (mode === 'commit') expect(repeated).toBe(0);
    },
  );
});
