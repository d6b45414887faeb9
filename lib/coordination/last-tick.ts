import { quoted } from '../foreign/foreign-text.js';
import { type KeyRecord, keyText } from '../backend/key-record.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { ConnectionError, UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { BACKOFF, quietPause } from '../timing/backoff.js';
import type { Claim } from './claim.js';
import { parseObject, textOf } from './members.js';

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
        const { record } = await keyValue.get(rawKey);
        onAnswer(undefined);
        return parseLastTick(record);
      } catch (error) {
        onAnswer(error);
        await quietPause(error instanceof ConnectionError ? BACKOFF.soon(failures) : BACKOFF.refused(), signal);
      }
    }
    return undefined;
  }

  /**
   * Stores a tick if the claim is valid and the key is unchanged. Retries while the outcome is unknown. An attempt that is
   * applied late changes nothing, because each one requires the same revision.
   *
   * @param mayRetry asked before each repetition, unless the outcome is unknown
   * @returns the new state; `undefined` if nothing was stored, or the claim is lost
   */
  async put(
    claim: Claim,
    known: LastTickState,
    at: number,
    mayRetry: () => boolean,
  ): Promise<LastTickState | undefined> {
    const { rawKey, instance, keyValue, onAnswer, closing } = this.#options;
    const by = `${instance}/${(this.#writes += 1)}`;
    const value = Buffer.from(JSON.stringify({ v: 1, scheduledAt: new Date(at).toISOString(), by }));
    let mayBeApplied = false;
    for (let failures = 0; !claim.isLost; failures += 1) {
      try {
        const result = await keyValue.commit({
          what: `put ${quoted(keyText(rawKey))}`,
          key: keyText(rawKey),
          conditions: [claim.condition, { rawKey, revision: known.revision }],
          operations: [{ type: 'put', rawKey, value }],
        });
        onAnswer(undefined);
        if (result.applied) return { revision: result.revision, at, by };
        const [owner, last] = result.current;
        if (!claim.matches(owner)) claim.lose();
        const state = parseLastTick(last);
        return state.by === by ? state : undefined;
      } catch (error) {
        onAnswer(error);
        mayBeApplied ||= error instanceof UnknownOutcomeError;
        const isOutage = mayBeApplied || error instanceof ConnectionError;
        await quietPause(isOutage ? BACKOFF.soon(failures) : BACKOFF.refused(), closing);
        if (!mayBeApplied && !mayRetry()) return undefined;
      }
    }
    return undefined;
  }
}

export function parseLastTick(record: Pick<KeyRecord, 'value' | 'revision'> | undefined): LastTickState {
  if (!record) return { revision: 0, at: undefined, by: '' };
  const { v, scheduledAt, by } = parseObject(record.value);
  const at = v === 1 ? Date.parse(textOf(scheduledAt)) : NaN;
  return { revision: record.revision, at: Number.isNaN(at) ? undefined : at, by: textOf(by) };
}
