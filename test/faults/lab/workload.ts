import { setTimeout as sleep } from 'node:timers/promises';
import { UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { eventually } from '../../support/eventually.js';
import type { DirectMember, ResponseWithHeader } from './direct-member.js';
import { LabConfig, type LabApplication } from './lab-application.js';
import type { WriteChecker } from './write-checker.js';
import { drawOperation, largestTransaction, type Operation, putStep, RANGES, type Step, touch } from './operation.js';
import type { Random } from './random.js';

const WRITERS = 3;
/** Leaves CPU time for the members and the listeners. */
const PACE_MS = 4;

/** Concurrent writers that use direct connections, and one that writes through the library under test. */
export class Workload {
  /** Number of acknowledged writes. */
  acknowledged = 0;
  readonly #members: readonly DirectMember[];
  readonly #writeChecker: WriteChecker;
  readonly #app: LabApplication;
  readonly #random: Random;
  #run = new AbortController();
  #writing: Promise<void>[] = [];
  #count = 0;
  readonly #inFlight = new Set<string>();

  constructor(members: readonly DirectMember[], writeChecker: WriteChecker, app: LabApplication, random: Random) {
    this.#members = members;
    this.#writeChecker = writeChecker;
    this.#app = app;
    this.#random = random;
  }

  start(): void {
    this.#run = new AbortController();
    const { signal } = this.#run;
    const writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer, this.#random.fork(), signal));
    this.#writing = [...writers, this.#writeThroughLibrary(signal)];
  }

  /** Resolves when every request has completed. */
  async pause(): Promise<void> {
    this.#run.abort();
    await Promise.all(this.#writing);
  }

  /** Resolves when `count` more writes have been acknowledged, or after a timeout. */
  async afterMore(count: number): Promise<void> {
    const wanted = this.acknowledged + count;
    await eventually(() => this.acknowledged >= wanted, { withinMs: 4_000 }).catch(() => undefined);
  }

  /** Ids of the library's pending writes. */
  get inFlight(): ReadonlySet<string> {
    return this.#inFlight;
  }

  /** Writes to every range and retries until it succeeds. @returns the revision */
  async touch(): Promise<number> {
    return this.#sendUntilAcknowledged(touch);
  }

  /** Writes transactions of the maximum size. */
  async flood(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) await this.#sendUntilAcknowledged(largestTransaction);
  }

  /** Writes until the store's revision exceeds the given one. */
  async growPast(revision: number): Promise<void> {
    const grow = async (): Promise<void> => {
      let head = 0;
      while (head <= revision) {
        head = await this.#sendUntilAcknowledged((id) => ({
          id,
          kind: 'put',
          member: 0,
          steps: [putStep(id, '/lab/b/grow', 0)],
        }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, grow));
  }

  /** Tries one member after the other, because some may be unavailable. */
  async #sendUntilAcknowledged(draw: (id: string) => Operation): Promise<number> {
    let attempt = 0;
    return eventually(
      async () => {
        const revision = await this.#send({ ...draw(this.#id('lab')), member: attempt++ }, 3_000);
        if (revision === undefined) throw new Error('no member accepts writes');
        return revision;
      },
      { withinMs: 120_000 },
    );
  }

  async #write(writer: number, random: Random, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#send(drawOperation(this.#id(`w${writer}`), random), 3_000);
      await sleep(PACE_MS);
    }
  }

  /** Sends a write once. @returns the revision if the write was acknowledged */
  async #send({ id, kind, steps, member }: Operation, timeoutMs: number): Promise<number | undefined> {
    const to = this.#members[member % this.#members.length];
    if (!to) throw new Error('there is no member to write to');
    this.#writeChecker.sent(id);
    try {
      const lease = kind === 'lease' ? await to.call<{ ID: string }>('Lease', 'LeaseGrant', { TTL: 1 }) : undefined;
      const success = steps.map((step) => requestOf(step, lease?.ID));
      const { header } = await to.call<ResponseWithHeader>('KV', 'Txn', { success }, timeoutMs);
      const revision = Number(header.revision);
      this.#writeChecker.completed(id, { kind: 'acknowledged', revision, steps });
      this.acknowledged += 1;
      return revision;
    } catch {
      this.#writeChecker.completed(id, { kind: 'unknown' });
      return undefined;
    }
  }

  /** Writes through the proxies, as an application does. */
  async #writeThroughLibrary(signal: AbortSignal): Promise<void> {
    for (let turn = 0; !signal.aborted; turn += 1) {
      const id = this.#id('app');
      const key = turn % 2 === 0 ? `/lab/app/${turn % 5}` : `${RANGES.configs}app`;
      const step = putStep(id, key, 10);
      this.#writeChecker.sent(id);
      this.#inFlight.add(id);
      try {
        const { revision } = await this.#writeOne(id, step);
        this.#writeChecker.completed(id, { kind: 'acknowledged', revision, steps: [step] });
      } catch (error) {
        this.#writeChecker.completed(id, { kind: error instanceof UnknownOutcomeError ? 'unknown' : 'rejected' });
      }
      this.#inFlight.delete(id);
      await sleep(PACE_MS * 5);
    }
  }

  async #writeOne(id: string, step: Step): Promise<{ revision: number }> {
    if (step.type === 'put' && !step.key.startsWith(RANGES.configs)) return this.#app.watcher.put(step.key, step.value);
    const config = Object.assign(new LabConfig(), { id, filler: 'x'.repeat(10) });
    return this.#app.store.put(step.key, config);
  }

  #id(writer: string): string {
    this.#count += 1;
    return `${writer}-${this.#count}`;
  }
}

function requestOf(step: Step, lease: string | undefined): object {
  const key = Buffer.from(step.key);
  if (step.type === 'put') return { request_put: { key, value: step.value, lease: lease ?? 0 } };
  return { request_delete_range: { key, ...(step.prefix && { range_end: Buffer.from(`${step.key.slice(0, -1)}0`) }) } };
}
