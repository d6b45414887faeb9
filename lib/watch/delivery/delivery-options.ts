import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger, checkKnown, checkMilliseconds, checkOneOf, type OptionNames } from '../../option-checks.js';

/** Delivery of events to a handler. The same options apply to `@WatchKey`, `watch()` and `watchBatch()`. */
export interface DeliveryOptions {
  /**
   * The order in which calls start. An event waits for the retries of the calls that it waits for.
   *
   * - `key`: calls of one key start in revision order and never overlap. Calls of different keys overlap up to
   *   `concurrency`, and may start in any order: an event whose key is busy does not delay later events of other keys.
   * - `target`: one call at a time for the whole target, in revision order. With `delivery: 'latest'` only the calls of
   *   one key keep this order, because a later event takes the position of the waiting one.
   * - `none`: calls of one key never overlap, but later events overtake an event that waits for a retry.
   *
   * The events of the initial list, and of a resync, count as one revision and start in byte order of their keys.
   * Batches (`watchBatch()`, `{ batch: true }`) are always called one at a time, in revision order.
   * @default 'key'
   */
  readonly order?: 'key' | 'target' | 'none' | undefined;
  /**
   * Maximum number of calls that run at the same time; in a handler group, for each partition. Always 1 with
   * `order: 'target'`.
   * @default 16
   */
  readonly concurrency?: number | undefined;
  /**
   * `every`: every event is delivered. `latest`: a waiting event is replaced by the next one of its key, and a key that
   * was created and deleted in the meantime is not delivered; `previous` is still the value that the handler last
   * received.
   * @default 'every', and 'latest' with `debounceMs`
   */
  readonly delivery?: 'every' | 'latest' | undefined;
  /**
   * Retries of a call that throws, rejects or times out, with the same event.
   * @default { attempts: 1 }
   */
  readonly retry?: RetryOptions | undefined;
  /**
   * Time limit of a call, in milliseconds. After it the call's signal aborts and the call counts as failed, however it
   * ends. Until it ends, its key stays busy and it counts towards `concurrency`.
   * @default none
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Behaviour after the last attempt has failed. `skip`: continue with the next event. `halt`: start no further calls
   * until `resume()`, which continues with the event that failed. `park`: only in a handler group; the event is stored
   * in etcd for `GroupRegistry.redrive`, and the next event follows.
   * @default 'skip'
   */
  readonly onExhausted?: 'skip' | 'halt' | 'park' | undefined;
  /**
   * The types of events that the handler is called for. `previous` is the value before the event, whether or not the
   * handler was called for it.
   * @default 'both'
   */
  readonly events?: 'put' | 'delete' | 'both' | undefined;
  /**
   * Milliseconds that a key must not change before its last event is delivered. Implies `delivery: 'latest'`.
   * @default 0
   */
  readonly debounceMs?: number | undefined;
}

/** Retries of a failed call. */
export interface RetryOptions {
  /** Maximum number of calls with one event, including the first one. */
  readonly attempts: number;
  /**
   * Wait time between attempts, in milliseconds: exponential backoff with equal jitter. Its limit is `initialMs`,
   * doubled with each further retry up to `maxMs`; each wait is a random time between half of the limit and the limit.
   * @default { initialMs: 100, maxMs: 30_000 }
   */
  readonly backoff?: { readonly initialMs?: number | undefined; readonly maxMs?: number | undefined } | undefined;
}

/** Checked options, with all defaults filled in. */
export interface ResolvedDelivery {
  readonly order: NonNullable<DeliveryOptions['order']>;
  readonly concurrency: number;
  readonly delivery: NonNullable<DeliveryOptions['delivery']>;
  readonly attempts: number;
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
  readonly timeoutMs: number | undefined;
  readonly onExhausted: NonNullable<DeliveryOptions['onExhausted']>;
  readonly events: NonNullable<DeliveryOptions['events']>;
  readonly debounceMs: number;
}

export const DELIVERY_OPTIONS: OptionNames<DeliveryOptions> = {
  order: true,
  concurrency: true,
  delivery: true,
  retry: true,
  timeoutMs: true,
  onExhausted: true,
  events: true,
  debounceMs: true,
};

const RETRY_OPTIONS: OptionNames<RetryOptions> = { attempts: true, backoff: true };
const BACKOFF_OPTIONS: OptionNames<NonNullable<RetryOptions['backoff']>> = { initialMs: true, maxMs: true };

/** Options that do not apply to batches. */
const EVENTS_ONLY = ['order', 'concurrency', 'delivery', 'debounceMs'] as const;

/**
 * Merges the options of one handler with those of the module. The handler's options take precedence.
 * @throws InvalidOptionsError naming the first invalid option
 */
export function resolveDelivery(
  own: DeliveryOptions,
  moduleWide: DeliveryOptions,
  kind: 'event' | 'batch',
): ResolvedDelivery {
  checkDelivery(own);
  const { attempts = 1, backoff = {} } = own.retry ?? moduleWide.retry ?? {};
  const { order, concurrency, delivery, debounceMs } =
    kind === 'batch' ? batchOptions(own) : eventOptions(own, moduleWide);
  // Without spreads: an object built by spreading takes several times the memory, and there may be many handlers.
  return {
    order,
    concurrency,
    delivery,
    debounceMs,
    attempts,
    backoff: { initialMs: backoff.initialMs ?? 100, maxMs: backoff.maxMs ?? 30_000 },
    timeoutMs: own.timeoutMs ?? moduleWide.timeoutMs,
    onExhausted: own.onExhausted ?? moduleWide.onExhausted ?? 'skip',
    events: own.events ?? moduleWide.events ?? 'both',
  };
}

type CallOptions = Pick<ResolvedDelivery, 'order' | 'concurrency' | 'delivery' | 'debounceMs'>;

const BATCH_OPTIONS: CallOptions = { order: 'target', concurrency: 1, delivery: 'every', debounceMs: 0 };

function batchOptions(own: DeliveryOptions): CallOptions {
  const invalid = EVENTS_ONLY.find((option) => own[option] !== undefined);
  if (invalid) {
    throw new InvalidOptionsError(
      `"${invalid}" does not apply to batches: they are delivered whole, one at a time, in revision order`,
    );
  }
  return BATCH_OPTIONS;
}

function eventOptions(own: DeliveryOptions, moduleWide: DeliveryOptions): CallOptions {
  const order = own.order ?? moduleWide.order ?? 'key';
  const concurrency = order === 'target' ? 1 : (own.concurrency ?? moduleWide.concurrency ?? 16);
  const { delivery, debounceMs } = coalescing(own, moduleWide);
  return { order, concurrency, delivery, debounceMs };
}

/**
 * A handler with `delivery: 'every'` ignores the module's `debounceMs`. A handler with `debounceMs` is coalesced,
 * whatever the module's `delivery` is.
 */
function coalescing(
  own: DeliveryOptions,
  moduleWide: DeliveryOptions,
): Pick<ResolvedDelivery, 'delivery' | 'debounceMs'> {
  if (own.delivery === 'every') return { delivery: 'every', debounceMs: 0 };
  const debounceMs = own.debounceMs ?? moduleWide.debounceMs ?? 0;
  if (debounceMs > 0) return { delivery: 'latest', debounceMs };
  return { delivery: own.delivery ?? moduleWide.delivery ?? 'every', debounceMs };
}

/** @throws InvalidOptionsError naming the first invalid option, preceded by `path` */
export function checkDelivery(options: DeliveryOptions, path = ''): void {
  checkOneOf(`"${path}order"`, options.order, ['key', 'target', 'none']);
  checkCount(`"${path}concurrency"`, options.concurrency);
  checkOneOf(`"${path}delivery"`, options.delivery, ['every', 'latest']);
  checkRetry(`${path}retry`, options.retry);
  checkMilliseconds(`"${path}timeoutMs"`, options.timeoutMs, 1);
  checkOneOf(`"${path}onExhausted"`, options.onExhausted, ['skip', 'halt', 'park']);
  checkOneOf(`"${path}events"`, options.events, ['put', 'delete', 'both']);
  checkMilliseconds(`"${path}debounceMs"`, options.debounceMs, 0);
  if (options.delivery === 'every' && (options.debounceMs ?? 0) > 0) {
    throw new InvalidOptionsError(`"${path}debounceMs" implies "${path}delivery": 'latest': remove "${path}delivery"`);
  }
}

function checkRetry(option: string, retry: unknown): void {
  if (retry === undefined) return;
  if (typeof retry !== 'object' || retry === null || !('attempts' in retry)) {
    throw new InvalidOptionsError(`"${option}" must be { attempts, backoff? }, for example { attempts: 3 }`);
  }
  const { attempts, backoff = {} } = retry as RetryOptions;
  checkKnown(retry, RETRY_OPTIONS, { path: `${option}.` });
  checkKnown(backoff, BACKOFF_OPTIONS, { path: `${option}.backoff.` });
  checkCount(`"${option}.attempts"`, attempts);
  const { initialMs = 100, maxMs = 30_000 } = backoff;
  checkMilliseconds(`"${option}.backoff.initialMs"`, initialMs, 1);
  checkMilliseconds(`"${option}.backoff.maxMs"`, maxMs, initialMs);
}

function checkCount(subject: string, value: number | undefined): void {
  if (value !== undefined) checkInteger(subject, value, { min: 1 });
}
