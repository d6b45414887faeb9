import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import type { DirectMember, RawKeyValue, WatchAnswer } from './direct-member.js';
import type { Change } from './history.js';
import { Truth } from './truth.js';

const EVERYTHING = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/**
 * Records every write of the whole store by watching all members at once, each directly. A revision is recorded by the first member that shows it, so
 * that neither a member that is down nor one that lags makes a gap; that there is none is checked, since every revision of the store is a write.
 */
export class TruthRecorder {
  readonly truth = new Truth();
  readonly #members: readonly DirectMember[];
  readonly #recording: Promise<void>[] = [];
  #run = new AbortController();

  private constructor(members: readonly DirectMember[]) {
    this.#members = members;
  }

  static async start(members: readonly DirectMember[]): Promise<TruthRecorder> {
    const recorder = new TruthRecorder(members);
    await recorder.begin();
    return recorder;
  }

  /** Begins with what the store holds now. */
  async begin(): Promise<void> {
    const { revision, state } = await this.#range();
    this.truth.begin(revision, state);
    this.#run = new AbortController();
    for (const member of this.#members) this.#recording.push(this.#record(member, this.#run.signal));
  }

  /** Records no more: the store will be replaced. */
  async pause(): Promise<void> {
    this.#run.abort();
    await Promise.all(this.#recording.splice(0));
  }

  async reached(revision: number): Promise<void> {
    await eventually(() => this.truth.current.head >= revision, { withinMs: 60_000 });
  }

  /** What the store held at a revision: a linearizable read. */
  async heldAt(revision: number): Promise<Map<string, Change>> {
    return (await this.#range(revision)).state;
  }

  async stop(): Promise<void> {
    await this.pause();
    for (const member of this.#members) member.close();
  }

  async #record(member: DirectMember, signal: AbortSignal): Promise<void> {
    const { current } = this.truth;
    const write = (answer: WatchAnswer): void => {
      for (const changes of inRevisions(answer)) {
        const revision = changes[0]?.revision ?? 0;
        if (revision > current.head) current.append(revision, changes);
      }
    };
    while (!signal.aborted) {
      // After whatever another member has shown in the meantime, so that no compaction lies in between.
      await follow(member, current.head + 1, write, signal);
      await sleep(20);
    }
  }

  async #range(revision = 0): Promise<{ revision: number; state: Map<string, Change> }> {
    return eventually(
      async () => {
        const answers = this.#members.map((member) =>
          member.call<{ header: { revision: string }; kvs: readonly RawKeyValue[] }>('KV', 'Range', {
            ...EVERYTHING,
            revision,
          }),
        );
        const { header, kvs } = await Promise.any(answers);
        const changes = kvs.map((kv) => changeOf('put', kv));
        return { revision: Number(header.revision), state: new Map(changes.map((change) => [change.key, change])) };
      },
      { withinMs: 60_000 },
    );
  }
}

/** Follows one member until its stream ends, for whatever reason. */
async function follow(
  member: DirectMember,
  start: number,
  write: (answer: WatchAnswer) => void,
  signal: AbortSignal,
): Promise<void> {
  const stream = await member.watch().catch(() => undefined);
  if (!stream) return;
  const cancel = (): void => {
    stream.cancel();
  };
  signal.addEventListener('abort', cancel);
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (answer: WatchAnswer) => {
      if (signal.aborted) return;
      if (answer.canceled) stream.cancel();
      try {
        write(answer);
      } catch (error) {
        stream.cancel();
        reject(new Error('the recorder has lost track', { cause: error }));
      }
    });
    stream.on('error', () => {
      resolve();
    });
    stream.on('end', () => {
      stream.cancel();
      resolve();
    });
    stream.write({ create_request: { ...EVERYTHING, start_revision: String(start) } });
    if (signal.aborted) cancel();
  });
  signal.removeEventListener('abort', cancel);
}

function inRevisions({ events }: WatchAnswer): Change[][] {
  const revisions = new Map<string, Change[]>();
  for (const { type, kv } of events) {
    const changes = revisions.get(kv.mod_revision) ?? [];
    changes.push(changeOf(type === 'Delete' ? 'delete' : 'put', kv));
    revisions.set(kv.mod_revision, changes);
  }
  return [...revisions.values()];
}

const changeOf = (type: Change['type'], kv: RawKeyValue): Change => ({
  type,
  key: kv.key.toString(),
  value: type === 'put' ? fingerprint(kv.value) : undefined,
  revision: Number(kv.mod_revision),
  createRevision: Number(kv.create_revision),
  version: Number(kv.version),
  lease: type === 'delete' || kv.lease === '0' ? undefined : kv.lease,
});

const SHORT = 256;

/** Short values are kept as they are; of long ones what they begin with, their length and a digest. */
export function fingerprint(value: Buffer): string {
  if (value.length <= SHORT) return value.toString('latin1');
  const digest = createHash('sha1').update(value).digest('base64');
  return `${value.toString('latin1', 0, 48)} ${value.length} ${digest}`;
}
