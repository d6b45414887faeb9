import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import type { DirectMember, RawKeyValue, WatchResponse } from './direct-member.js';
import type { Change } from './listener-history.js';
import { StoreHistory } from './store-history.js';

const EVERYTHING = { key: Buffer.from([0]), range_end: Buffer.from([0]) };

/**
 * Records every write in the store by watching all members directly. It takes each revision from the first member that
 * delivers it, so that members that are down or lag cause no gap. Every revision is a write, so a gap would be
 * detected.
 */
export class StoreRecorder {
  readonly storeHistory = new StoreHistory();
  readonly #members: readonly DirectMember[];
  readonly #recording: Promise<void>[] = [];
  #run = new AbortController();

  private constructor(members: readonly DirectMember[]) {
    this.#members = members;
  }

  static async start(members: readonly DirectMember[]): Promise<StoreRecorder> {
    const recorder = new StoreRecorder(members);
    await recorder.begin();
    return recorder;
  }

  /** Starts recording with the current contents of the store. */
  async begin(): Promise<void> {
    const { revision, state } = await this.#range();
    this.storeHistory.begin(revision, state);
    this.#run = new AbortController();
    for (const member of this.#members) this.#recording.push(this.#record(member, this.#run.signal));
  }

  /** Stops recording, because the store is about to be replaced. */
  async pause(): Promise<void> {
    this.#run.abort();
    await Promise.all(this.#recording.splice(0));
  }

  async reached(revision: number): Promise<void> {
    await eventually(() => this.storeHistory.current.head >= revision, { withinMs: 60_000 });
  }

  /** Reads the store at a revision with a linearizable read. */
  async contentsAt(revision: number): Promise<Map<string, Change>> {
    return (await this.#range(revision)).state;
  }

  async stop(): Promise<void> {
    await this.pause();
    for (const member of this.#members) member.close();
  }

  async #record(member: DirectMember, signal: AbortSignal): Promise<void> {
    const { current } = this.storeHistory;
    const write = (response: WatchResponse): void => {
      for (const changes of inRevisions(response)) {
        const revision = changes[0]?.revision ?? 0;
        if (revision > current.head) current.append(revision, changes);
      }
    };
    while (!signal.aborted) {
      // Resumes after the revisions recorded from other members, which may be compacted by now.
      await follow(member, current.head + 1, write, signal);
      await sleep(20);
    }
  }

  async #range(revision = 0): Promise<{ revision: number; state: Map<string, Change> }> {
    return eventually(
      async () => {
        const responses = this.#members.map((member) =>
          member.call<{ header: { revision: string }; kvs: readonly RawKeyValue[] }>('KV', 'Range', {
            ...EVERYTHING,
            revision,
          }),
        );
        const { header, kvs } = await Promise.any(responses);
        const changes = kvs.map((kv) => changeOf('put', kv));
        return { revision: Number(header.revision), state: new Map(changes.map((change) => [change.key, change])) };
      },
      { withinMs: 60_000 },
    );
  }
}

/** Watches one member until its stream ends. */
async function follow(
  member: DirectMember,
  start: number,
  write: (response: WatchResponse) => void,
  signal: AbortSignal,
): Promise<void> {
  const stream = await member.watch().catch(() => undefined);
  if (!stream) return;
  const cancel = (): void => {
    stream.cancel();
  };
  signal.addEventListener('abort', cancel);
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (response: WatchResponse) => {
      if (signal.aborted) return;
      if (response.canceled) stream.cancel();
      try {
        write(response);
      } catch (error) {
        stream.cancel();
        reject(new Error('the recorder has missed a revision', { cause: error }));
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

function inRevisions({ events }: WatchResponse): Change[][] {
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

const MAX_UNCHANGED_BYTES = 256;

/** Returns short values unchanged; of long values, the first bytes, the length and a digest. */
export function fingerprint(value: Buffer): string {
  if (value.length <= MAX_UNCHANGED_BYTES) return value.toString('latin1');
  const digest = createHash('sha1').update(value).digest('base64');
  return `${value.toString('latin1', 0, 48)} ${value.length} ${digest}`;
}
