import { quoted } from '../foreign/foreign-text.js';
import { type KeyRecord, keyText } from '../backend/key-record.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { ConnectionError, UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { abortable } from '../timing/abortable.js';
import { withAnySignal } from '../timing/any-signal.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import { onAbort } from '../timing/on-abort.js';
import type { Claim } from './claim.js';
import { parseObject, textOf } from './members.js';
import { RELEASE_LIMIT_MS } from './participant.js';

/** The key `last` of a cron job at one revision. */
export interface LastTickState {
  /** Revision of the last write; 0 if the key is absent. */
  readonly revision: number;
  /** The last tick, in milliseconds since 1970. `undefined` if the key is absent, or this version cannot read it. */
  readonly at: number | undefined;
  /** The write that has stored it. */
  readonly by: string;
}

export interface LastTickOptions {
  readonly rawKey: string;
  /** Id of this instance. */
  readonly instance: string;
  readonly keyValue: KeyValueStore;
  /** Called with the error of each failed request, and with `undefined` after any other. */
  readonly onAnswer: (error: unknown) => void;
  /** Ends all retries. */
  readonly closing: AbortSignal;
}

/** The last tick of a cron job in etcd. The owner of the job moves it forward before each call. */
export class LastTick {
  readonly #options: LastTickOptions;
  #writes = 0;

  constructor(options: LastTickOptions) {
    this.#options = options;
  }

  /** Retries until etcd answers. `undefined` if the claim was given up before. */
  async read({ fence: { signal } }: Claim): Promise<LastTickState | undefined> {
    const { rawKey, keyValue, onAnswer } = this.#options;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const { record } = await abortable(keyValue.get(rawKey), signal);
        onAnswer(undefined);
        return parseLastTick(record);
      } catch (error) {
        if (error === signal.reason) return undefined;
        onAnswer(error);
        await quietPause(error instanceof ConnectionError ? BACKOFF.soon(failures) : BACKOFF.refused(), signal);
      }
    }
    return undefined;
  }

  /**
   * Stores a tick if the claim is valid and the key is unchanged. Retries while the outcome is unknown, but not for long
   * after the claim's signal has aborted. An attempt that is applied late changes nothing, because each one requires the
   * same revision.
   *
   * @param mayRetry asked before each repetition, unless the outcome is unknown
   * @returns the new state; `undefined` if nothing was stored, the claim is lost, or the outcome remains unknown
   */
  put(claim: Claim, known: LastTickState, at: number, mayRetry: () => boolean): Promise<LastTickState | undefined> {
    return whileUseful(claim, this.#options.closing, (ended) => this.#put(claim, { known, at, mayRetry }, ended));
  }

  async #put(claim: Claim, { known, at, mayRetry }: TickWrite, ended: AbortSignal): Promise<LastTickState | undefined> {
    const { rawKey, instance, keyValue, onAnswer } = this.#options;
    const by = `${instance}/${(this.#writes += 1)}`;
    const value = Buffer.from(JSON.stringify({ v: 1, scheduledAt: new Date(at).toISOString(), by }));
    const transaction = {
      what: `put ${quoted(keyText(rawKey))}`,
      key: keyText(rawKey),
      conditions: [claim.condition, { rawKey, revision: known.revision }],
      operations: [{ type: 'put', rawKey, value }],
    } as const;
    let mayBeApplied = false;
    for (let failures = 0; !claim.isLost && !ended.aborted; failures += 1) {
      try {
        const result = await abortable(keyValue.commit(transaction), ended);
        onAnswer(undefined);
        if (result.applied) return { revision: result.revision, at, by };
        const [owner, last] = result.current;
        if (!claim.matches(owner)) claim.lose();
        const state = parseLastTick(last);
        return state.by === by ? state : undefined;
      } catch (error) {
        if (error === ended.reason) return undefined;
        onAnswer(error);
        mayBeApplied ||= error instanceof UnknownOutcomeError;
        const isOutage = mayBeApplied || error instanceof ConnectionError;
        const waitMs = isOutage ? BACKOFF.soon(failures) : BACKOFF.refused();
        await quietPause(waitMs, mayBeApplied ? ended : claim.fence.signal);
        if (!mayBeApplied && !mayRetry()) return undefined;
      }
    }
    return undefined;
  }
}

interface TickWrite {
  readonly known: LastTickState;
  readonly at: number;
  readonly mayRetry: () => boolean;
}

/** Calls `run` with a signal that aborts some time after the claim's signal, or when everything closes. */
async function whileUseful<T>(
  { fence }: Claim,
  closing: AbortSignal,
  run: (ended: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const startLimit = (): void => {
    timer = setTimeout(() => {
      limit.abort();
    }, RELEASE_LIMIT_MS).unref();
  };
  if (fence.signal.aborted) startLimit();
  const stopListening = onAbort(fence.signal, startLimit);
  try {
    return await withAnySignal([closing, limit.signal], run);
  } finally {
    stopListening();
    clearTimeout(timer);
  }
}

export function parseLastTick(record: Pick<KeyRecord, 'value' | 'revision'> | undefined): LastTickState {
  if (!record) return { revision: 0, at: undefined, by: '' };
  const { v, scheduledAt, by } = parseObject(record.value);
  const at = v === 1 ? Date.parse(textOf(scheduledAt)) : NaN;
  return { revision: record.revision, at: Number.isNaN(at) ? undefined : at, by: textOf(by) };
}
