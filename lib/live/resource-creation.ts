import { constants } from 'node:os';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { describeThrown, errorCode } from '../foreign/foreign-error.js';
import type { Clock } from '../timing/clock.js';
import { Deferred } from '../timing/deferred.js';

export interface ResourceCreationOptions<C, T> {
  readonly name: string;
  readonly create: (config: C, signal: AbortSignal) => T | Promise<T>;
  readonly createTimeoutMs: number;
  /** Disposes a result that arrived too late. Never rejects. */
  readonly discard: (resource: T) => Promise<void>;
  readonly clock: Clock;
  readonly log: InstanceLog;
}

/** `problem` continues a log line. */
export type CreationOutcome<T> =
  | { readonly type: 'created'; readonly resource: T }
  | { readonly type: 'failed'; readonly problem: string }
  | { readonly type: 'superseded' };

/** A call of `create` in progress. */
export interface Creation<T> {
  readonly outcome: Promise<CreationOutcome<T>>;
  /** Aborts its signal. Its result is disposed; it is awaited for a short time. */
  readonly supersede: () => void;
}

/** Calls `create` with a time limit, and disposes what arrives after an abort. */
export class ResourceCreation<C, T> {
  /** Calls that have not settled, also those that nobody waits for. */
  readonly #pending = new Set<Promise<unknown>>();

  constructor(private readonly options: ResourceCreationOptions<C, T>) {}

  begin(config: C): Creation<T> {
    const { create, createTimeoutMs, clock, discard } = this.options;
    const abort = new AbortController();
    const settled = new Deferred<CreationOutcome<T>>();
    let stopWaiting = clock.after(createTimeoutMs, () => {
      abort.abort(new Error(`create has not ended after ${createTimeoutMs} ms`));
      settled.resolve({ type: 'failed', problem: `create has not ended after ${createTimeoutMs} ms` });
    });
    const pending = (async () => create(config, abort.signal))().then(
      async (resource) => {
        stopWaiting();
        if (abort.signal.aborted) {
          settled.resolve({ type: 'superseded' });
          await discard(resource);
        } else {
          settled.resolve({ type: 'created', resource });
        }
      },
      (error: unknown) => {
        stopWaiting();
        settled.resolve(
          abort.signal.aborted
            ? { type: 'superseded' }
            : { type: 'failed', problem: `create failed: ${describeCause(error)}` },
        );
      },
    );
    this.#pending.add(pending);
    void pending.finally(() => this.#pending.delete(pending));
    return {
      outcome: settled.promise,
      supersede: () => {
        if (abort.signal.aborted) return;
        stopWaiting();
        stopWaiting = clock.after(SUPERSEDED_LIMIT_MS, () => {
          settled.resolve({ type: 'superseded' });
        });
        abort.abort(new Error('the configuration has changed, or the module is closed'));
      },
    };
  }

  /** Resolves when every call has settled and its result is disposed, or after a limit. */
  async ended(): Promise<void> {
    if (this.#pending.size === 0) return;
    const { clock, log, name } = this.options;
    const limit = new Deferred();
    const stop = clock.after(CLOSE_LIMIT_MS, () => {
      log.warn(`${name}: create ignores its abort signal: not waiting for it`);
      limit.resolve();
    });
    await Promise.race([limit.promise, Promise.all(this.#pending)]);
    stop();
  }
}

/** The message of an error may contain a value of the configuration; the code of a system error does not. */
function describeCause(error: unknown): string {
  const code = errorCode(error);
  const isKnown = typeof code === 'string' && (code === 'ENOTFOUND' || Object.hasOwn(constants.errno, code));
  return describeThrown(error) + (isKnown ? ` (${code})` : '');
}

/** Time that an aborted `create` has before the next one begins, in milliseconds. */
const SUPERSEDED_LIMIT_MS = 1_000;
const CLOSE_LIMIT_MS = 5_000;
