import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger, checkMilliseconds, checkOneOf } from '../../option-checks.js';

/** How events are handed to a handler: the same for `@WatchKey`, `watch()` and `watchBatch()`. */
export interface DeliveryOptions {
  /**
   * What an event waits for: the end of the one before it for the same key (`key`), or of the one before it (`target`), its retries included.
   * `none`: only that no other call for its key runs - what waits for a retry is overtaken.
   * @default 'key'
   */
  readonly order?: 'key' | 'target' | 'none';
  /**
   * Calls that run at once, at most. With `order: 'target'` it is always 1.
   * @default 16
   */
  readonly concurrency?: number;
  /**
   * `every`: every event is handed over. `latest`: an event that still waits is replaced by the next one of its key, and a key that came and went
   * in the meantime is not seen; `previous` stays what the handler was last given.
   * @default 'every', and 'latest' with `debounceMs`
   */
  readonly delivery?: 'every' | 'latest';
  /**
   * How often a call that throws, rejects or times out is made again with the same event.
   * @default { attempts: 1 }
   */
  readonly retry?: RetryOptions;
  /**
   * Milliseconds a call may take. Then its signal aborts and it counts as failed, however it ends; until it ends, its key and its place among
   * the `concurrency` stay taken.
   * @default none
   */
  readonly timeoutMs?: number;
  /**
   * What happens when the last attempt has failed. `skip`: the next event proceeds. `halt`: no further call starts, until `resume()` goes on
   * with the very event that failed.
   * @default 'skip'
   */
  readonly onExhausted?: 'skip' | 'halt';
  /**
   * Which events the handler is called for; `previous` is what the key held before, whether there was a call for it or not.
   * @default 'both'
   */
  readonly events?: 'put' | 'delete' | 'both';
  /**
   * Milliseconds a key must be quiet before its last event is handed over. Implies `delivery: 'latest'`.
   * @default 0
   */
  readonly debounceMs?: number;
}

/** How often, and how far apart, a call that failed is made again. */
export interface RetryOptions {
  /** Calls with one event in all, the first one included. */
  readonly attempts: number;
  /**
   * Milliseconds between attempts: about `initialMs`, doubled for each further one up to `maxMs`, with jitter.
   * @default { initialMs: 100, maxMs: 30_000 }
   */
  readonly backoff?: { readonly initialMs?: number; readonly maxMs?: number };
}

/** Checked, with every default filled in. */
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

/** Options that mean nothing where a whole revision is handed over, one at a time. */
const EVENTS_ONLY = ['order', 'concurrency', 'delivery', 'debounceMs'] as const;

/**
 * What counts for one handler: its own options before those of the module.
 * @throws InvalidOptionsError naming the first option that cannot work
 */
export function resolveDelivery(
  own: DeliveryOptions,
  moduleWide: DeliveryOptions,
  kind: 'event' | 'batch',
): ResolvedDelivery {
  checkDelivery(own);
  const { attempts = 1, backoff = {} } = own.retry ?? moduleWide.retry ?? {};
  const { order, concurrency, delivery, debounceMs } = kind === 'batch' ? wholeRevisions(own) : calls(own, moduleWide);
  // Name by name: there may be ten thousand handlers, and an object made by spreading others takes several times the memory.
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

const WHOLE_REVISIONS: CallOptions = { order: 'target', concurrency: 1, delivery: 'every', debounceMs: 0 };

function wholeRevisions(own: DeliveryOptions): CallOptions {
  const wrong = EVENTS_ONLY.find((option) => own[option] !== undefined);
  if (wrong) throw new InvalidOptionsError(`"${wrong}" is for events: batches come whole and one at a time`);
  return WHOLE_REVISIONS;
}

function calls(own: DeliveryOptions, moduleWide: DeliveryOptions): CallOptions {
  const order = own.order ?? moduleWide.order ?? 'key';
  const concurrency = order === 'target' ? 1 : (own.concurrency ?? moduleWide.concurrency ?? 16);
  const { delivery, debounceMs } = coalescing(own, moduleWide);
  return { order, concurrency, delivery, debounceMs };
}

/** A handler that says `every` is not debounced by a default of the module; one that says `debounceMs` is coalesced whatever the default. */
function coalescing(
  own: DeliveryOptions,
  moduleWide: DeliveryOptions,
): Pick<ResolvedDelivery, 'delivery' | 'debounceMs'> {
  if (own.delivery === 'every') return { delivery: 'every', debounceMs: 0 };
  const debounceMs = own.debounceMs ?? moduleWide.debounceMs ?? 0;
  if (debounceMs > 0) return { delivery: 'latest', debounceMs };
  return { delivery: own.delivery ?? moduleWide.delivery ?? 'every', debounceMs };
}

/** @throws InvalidOptionsError naming the first option that cannot work; `path` is put before its name */
export function checkDelivery(options: DeliveryOptions, path = ''): void {
  checkOneOf(`"${path}order"`, options.order, ['key', 'target', 'none']);
  checkCount(`"${path}concurrency"`, options.concurrency);
  checkOneOf(`"${path}delivery"`, options.delivery, ['every', 'latest']);
  checkRetry(`${path}retry`, options.retry);
  checkMilliseconds(`"${path}timeoutMs"`, options.timeoutMs, 1);
  checkOneOf(`"${path}onExhausted"`, options.onExhausted, ['skip', 'halt']);
  checkOneOf(`"${path}events"`, options.events, ['put', 'delete', 'both']);
  checkMilliseconds(`"${path}debounceMs"`, options.debounceMs, 0);
  if (options.delivery === 'every' && (options.debounceMs ?? 0) > 0) {
    throw new InvalidOptionsError(`"${path}debounceMs" hands over last states only: leave out "${path}delivery"`);
  }
}

function checkRetry(option: string, retry: unknown): void {
  if (retry === undefined) return;
  if (typeof retry !== 'object' || retry === null || !('attempts' in retry)) {
    throw new InvalidOptionsError(`"${option}" is { attempts, backoff? }, as { attempts: 3 }`);
  }
  const { attempts, backoff = {} } = retry as RetryOptions;
  checkCount(`"${option}.attempts"`, attempts);
  const { initialMs = 100, maxMs = 30_000 } = backoff;
  checkMilliseconds(`"${option}.backoff.initialMs"`, initialMs, 1);
  checkMilliseconds(`"${option}.backoff.maxMs"`, maxMs, initialMs);
}

function checkCount(subject: string, value: number | undefined): void {
  if (value !== undefined) checkInteger(subject, value, { min: 1 });
}
