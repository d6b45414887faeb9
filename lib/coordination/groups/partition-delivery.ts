import type { Fence } from '../../backend/fence.js';
import { Fifo } from '../../collections/fifo.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { errorClass, isA } from '../../foreign/foreign-error.js';
import { exponentialBackoff } from '../../timing/backoff.js';
import { SYSTEM_CLOCK } from '../../timing/clock.js';
import { contentsOf, subjectOf } from '../../watch/delivery/deliverable.js';
import { type CallOutcome, DeliveryQueue, type PendingCall } from '../../watch/delivery/delivery-queue.js';
import { describeFailure, FinalFailure } from '../../watch/delivery/listener-failure.js';
import type { ChangeEvent } from '../../watch/stream/change-event.js';
import type { WatchFailure } from '../../watch/watch-event.js';
import type { GroupHandler } from './group-handler.js';
import type { GroupItem, ItemFailure } from './group-item.js';
import { HandlerCalls } from './handler-calls.js';
import { LaterCall } from './later-call.js';
import type { PartitionProgress } from './partition-progress.js';

export interface PartitionDeliveryOptions {
  readonly group: Pick<GroupHandler, 'name' | 'handler' | 'delivery' | 'onError'>;
  readonly fence: Fence;
  readonly progress: PartitionProgress;
  readonly log: InstanceLog;
  /** The maximum number of events from the first unfinished one on that have started. */
  readonly windowSize: () => number;
  /** True if no further event may start until `admit` is called again. */
  readonly isBlocked: () => boolean;
  /** To be awaited before the call of an item, if it is set. An item with a `failure` is not called. */
  readonly before: (item: GroupItem) => Promise<void> | undefined;
  /** Applies writes, and stores that the item is finished. */
  readonly commit: (item: GroupItem, build: (tx: ConfigTransaction) => void) => Promise<void>;
  /** Keeps an item whose last attempt has failed. Resolves to false if that is not possible any more. */
  readonly park: (item: GroupItem, failure: ItemFailure) => Promise<boolean>;
  readonly onFinished: (item: GroupItem) => void;
  readonly onFailure: (failure: WatchFailure) => void;
  readonly onUnexpected: (error: unknown) => void;
  /** The items can be accepted again, after `canAccept` has returned false. */
  readonly onDrain: () => void;
}

/** The number of waiting events from which on no more are accepted. */
const BOUND = 1_000;
/** Handlers that finish synchronously yield to the event loop after this time. */
const SLICE_MS = 20;

/** Calls the handler of a group with the events of one partition, with retries, limits and order as any handler. */
export class PartitionDelivery {
  readonly #options: PartitionDeliveryOptions;
  readonly #calls: HandlerCalls;
  readonly #queue: DeliveryQueue<GroupItem>;
  readonly #backlog = new Fifo<GroupItem>();
  /** Calls that wait for `before`. */
  readonly #beginning = new Set<LaterCall>();
  #isStopped = false;
  #isAdmitting = false;
  #needsDrain = false;
  #halted: WatchFailure | undefined;
  #begun = 0;
  #finished = 0;

  constructor(options: PartitionDeliveryOptions) {
    this.#options = options;
    const { delivery } = options.group;
    this.#calls = new HandlerCalls({
      ...options,
      onFailure: (item, attempts, error) => {
        this.#failed(item, attempts, error);
      },
    });
    this.#queue = new DeliveryQueue<GroupItem>({
      call: (item, attempt) => this.#call(item, attempt),
      done: (item) => {
        if (item.isHandled) {
          this.#finished += 1;
          options.onFinished(item);
        }
        item.onEnd?.();
        this.admit();
      },
      laneOf: delivery.order === 'target' ? () => '' : ({ subject }) => (subject as ChangeEvent).rawKey,
      keepsOrder: true,
      weightOf: () => 1,
      concurrency: delivery.concurrency,
      bound: Infinity,
      backoff: (retry) => exponentialBackoff(retry, delivery.backoff),
      clock: SYSTEM_CLOCK,
      onDrain: () => undefined,
      onFailure: options.onUnexpected,
      onRecovered: () => undefined,
    });
    this.#queue.start();
  }

  get calls(): number {
    return this.#calls.calls;
  }

  get failures(): number {
    return this.#calls.failures;
  }

  /** Number of waiting items and running calls. */
  get pending(): number {
    return this.#backlog.size + this.#queue.pending;
  }

  get isPaused(): boolean {
    return this.#queue.isPaused;
  }

  /** True if calls have begun whose events are not finished. */
  get hasInterrupted(): boolean {
    return this.#begun > this.#finished;
  }

  /** The failure after which no further call starts until `resume`. */
  get halted(): WatchFailure | undefined {
    return this.#halted;
  }

  canAccept(count: number): boolean {
    const { pending } = this;
    const isAccepted = pending === 0 || pending + count <= BOUND;
    if (!isAccepted) this.#needsDrain = true;
    return isAccepted;
  }

  push(item: GroupItem): void {
    if (!this.#isStopped) this.#backlog.push(item);
  }

  /** Starts as many items as the window permits. To be called after `push`, and when the window may have moved. */
  admit(): void {
    if (this.#isAdmitting || this.#isStopped) return;
    this.#isAdmitting = true;
    const until = performance.now() + SLICE_MS;
    const { progress, windowSize, isBlocked } = this.#options;
    for (let count = 1; this.#backlog.size > 0 && !isBlocked(); count += 1) {
      const next = this.#backlog.shift();
      if (!next) break;
      if (next.sequence - progress.headSequence >= windowSize()) {
        this.#backlog.unshift(next);
        break;
      }
      this.#queue.push(next);
      if (count % 64 === 0 && performance.now() > until) {
        SYSTEM_CLOCK.soon(() => {
          this.#isAdmitting = false;
          this.admit();
        });
        return;
      }
    }
    this.#isAdmitting = false;
    if (!this.#needsDrain || this.pending > BOUND / 2) return;
    this.#needsDrain = false;
    this.#options.onDrain();
  }

  pause(): void {
    this.#queue.pause();
  }

  resume(): void {
    this.#halted = undefined;
    this.#queue.resume();
    this.admit();
  }

  /** Drops the waiting items. Resolves when no call is running. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#backlog.clear();
    this.#queue.close();
    for (const call of this.#beginning) call.end('done');
    this.#beginning.clear();
    return this.#queue.idle();
  }

  /** Aborts the signals of the running calls. */
  abort(reason: unknown): void {
    this.#calls.abort(reason);
  }

  #call(item: GroupItem, attempt: number): CallOutcome | PendingCall {
    if (item.isSilent) {
      this.#begun += 1;
      item.isHandled = true;
      return 'done';
    }
    const ready = this.#options.before(item);
    if (!ready) return this.#attempt(item, attempt);
    const call = new LaterCall();
    this.#beginning.add(call);
    void ready.then(() => {
      if (this.#beginning.delete(call)) call.follow(this.#attempt(item, attempt));
    });
    return call;
  }

  #attempt(item: GroupItem, attempt: number): CallOutcome | PendingCall {
    if (attempt === 1) this.#begun += 1;
    // A call that was applied after its time limit is not repeated.
    const outcome = item.failure || item.isHandled ? 'done' : this.#calls.call(item, attempt);
    if (typeof outcome === 'string') return this.#ended(item, outcome);
    const call = new LaterCall();
    outcome.whenEnded((late) => {
      call.follow(this.#ended(item, late));
    });
    return call;
  }

  /** An item whose last attempt has failed is kept before the next one of its key starts. */
  #ended(item: GroupItem, outcome: CallOutcome): CallOutcome | PendingCall {
    const { failure } = item;
    if (!failure || item.isHandled || outcome !== 'done') return outcome;
    const call = new LaterCall();
    void this.#options.park(item, failure).then((isParked) => {
      item.isHandled = isParked;
      call.end('done');
    });
    return call;
  }

  #failed(item: GroupItem, attempts: number, error: unknown): void {
    if (this.#isStopped) return;
    const { group, log, onFailure } = this.#options;
    const cause = isA(error, FinalFailure) ? error.error : error;
    const failure: WatchFailure = { ...contentsOf(item.subject), handler: group.name, attempts, error: cause };
    const { onExhausted } = group.delivery;
    if (onExhausted === 'halt') {
      this.#halted ??= failure;
      this.pause();
    } else if (onExhausted === 'park') item.failure = { attempts, error: errorClass(cause) };
    else item.isHandled = true;
    const repeated = attempts > 1 ? `, ${attempts} times` : '';
    log.error(
      `${group.name} failed for ${subjectOf(item.subject)}${repeated}: ${describeFailure(error)}${CONSEQUENCE[onExhausted]}`,
    );
    onFailure(failure);
  }
}

const CONSEQUENCE = { skip: '', halt: '; it is halted until resume()', park: '; the event is parked' } as const;
