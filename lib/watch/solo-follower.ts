import { ConnectionClosedError, type EtcdTriggerError } from '../etcd-trigger.errors.js';
import { FirstList } from './first-list.js';
import type { KeyRange } from './key-range.js';
import type { ListWatcher } from './list-watcher.js';
import type { RangeListener, StreamState } from './range-listener.js';
import type { RangeChange, RangeMemory } from './range-memory.js';
import { Reflector, type ReflectorOptions, type ReflectorSink } from './reflector.js';
import type { ResyncNotice } from './watch-event.js';

/**
 * One listener on a stream of its own, with its own cursor and its own memory of what it was given: because it was slow, or because it began at
 * an older revision. It is over as soon as it has seen exactly what the shared stream has seen.
 */
export class SoloFollower implements ReflectorSink {
  readonly list = new FirstList();
  readonly #reflector: Reflector;
  readonly #listener: RangeListener;
  readonly #isLevel: (memory: RangeMemory) => boolean;
  #state: StreamState;

  constructor(
    source: ListWatcher,
    range: KeyRange,
    listener: RangeListener,
    from: NonNullable<ReflectorOptions['from']>,
    /** Whether the shared stream has seen the same; who says yes has taken the listener over. */
    isLevel: (memory: RangeMemory) => boolean,
  ) {
    this.#listener = listener;
    this.#isLevel = isLevel;
    // What is known was followed until now.
    this.#state = 'memory' in from ? 'following' : 'starting';
    if ('memory' in from) this.list.succeeded(from.memory);
    this.#reflector = new Reflector(source, range, this, { from });
    this.#reflector.start();
  }

  get state(): StreamState {
    return this.#state;
  }

  roomAgain(): void {
    this.#reflector.roomAgain();
  }

  close(): void {
    this.#reflector.close();
    this.list.ended(new ConnectionClosedError('the watch is closed'));
  }

  listed(memory: RangeMemory): void {
    this.list.succeeded(memory);
    this.#listener.listed?.();
    this.#joinIfLevel(memory);
  }

  changed(change: RangeChange, notice: ResyncNotice | undefined): void {
    const { memory } = this.list;
    if (!memory) return;
    const batch = memory.apply(change);
    this.#listener.deliver(batch, notice);
    this.#joinIfLevel(memory);
  }

  following(): void {
    this.#state = 'following';
    this.#listener.following?.();
  }

  interrupted(reason: EtcdTriggerError): void {
    this.#state = 'interrupted';
    this.list.failed(reason);
    this.#listener.interrupted?.(reason);
  }

  hasRoom(count: number): boolean {
    return this.#listener.hasRoom(count);
  }

  #joinIfLevel(memory: RangeMemory): void {
    if (this.#isLevel(memory)) this.close();
  }
}
