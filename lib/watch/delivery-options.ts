import { InvalidOptionsError } from '../etcd-trigger.errors.js';

/** How events are handed to a handler: the same for `@WatchKey`, `watch()` and `watchBatch()`. */
export interface DeliveryOptions {
  /**
   * What a call waits for. `key`: the call before it for the same key. `target`: the call before it. Batches always come one at a time.
   * @default 'key'
   */
  readonly order?: 'key' | 'target';
  /**
   * Calls that run at once, at most; for events, with `order: 'key'`.
   * @default 16
   */
  readonly concurrency?: number;
  /**
   * Which events the handler is called for; `previous` is what the key held before, whether there was a call for it or not.
   * @default 'both'
   */
  readonly events?: 'put' | 'delete' | 'both';
}

/** Checked, with every default filled in. */
export type ResolvedDelivery = Required<DeliveryOptions>;

const DEFAULTS: ResolvedDelivery = { order: 'key', concurrency: 16, events: 'both' };

/**
 * What counts for one handler: its own options before those of the module.
 * @throws InvalidOptionsError naming the first option that cannot work
 */
export function resolveDelivery(own: DeliveryOptions, moduleWide: DeliveryOptions): ResolvedDelivery {
  checkDelivery(own);
  return {
    order: own.order ?? moduleWide.order ?? DEFAULTS.order,
    concurrency: own.concurrency ?? moduleWide.concurrency ?? DEFAULTS.concurrency,
    events: own.events ?? moduleWide.events ?? DEFAULTS.events,
  };
}

/** @throws InvalidOptionsError naming the first option that cannot work; `path` is put before its name */
export function checkDelivery({ order, concurrency, events }: DeliveryOptions, path = ''): void {
  checkOneOf(`${path}order`, order, ['key', 'target']);
  checkCount(`${path}concurrency`, concurrency);
  checkOneOf(`${path}events`, events, ['put', 'delete', 'both']);
}

function checkOneOf(option: string, value: string | undefined, known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return;
  throw new InvalidOptionsError(`"${option}" is one of ${known.map((name) => `'${name}'`).join(', ')}`);
}

function checkCount(option: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return;
  throw new InvalidOptionsError(`"${option}" is an integer of at least 1`);
}
