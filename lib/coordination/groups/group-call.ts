import type { Fence } from '../../backend/fence.js';
import type { ConfigTransaction } from '../../config-transaction.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { DeliveryContext } from '../../watch/watch-event.js';
import type { GroupItem } from './group-item.js';

/** The owner of the partition, for all calls. */
export interface GroupCallOwner {
  /** `Class.method`, for messages. */
  readonly name: string;
  readonly fence: Fence;
  /** Applies the writes, and stores that the item is handled. */
  readonly commit: (item: GroupItem, build: (tx: ConfigTransaction) => void) => Promise<void>;
}

/** The context of one call of a group's handler. */
export class GroupCall implements DeliveryContext {
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly fence: Fence;
  readonly #call: Pick<DeliveryContext, 'signal'>;
  readonly #item: GroupItem;
  readonly #owner: GroupCallOwner;
  #state: 'open' | 'committing' | 'committed' | 'ended' = 'open';
  #commit: Promise<void> | undefined;

  constructor(call: Pick<DeliveryContext, 'signal' | 'attempt'>, item: GroupItem, owner: GroupCallOwner) {
    this.#call = call;
    this.#item = item;
    this.#owner = owner;
    this.attempt = call.attempt;
    this.redelivered = item.redelivered;
    this.fence = owner.fence;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get isCommitted(): boolean {
    return this.#state === 'committed';
  }

  /** A function of its own, so that a handler may destructure the context. */
  get commit(): DeliveryContext['commit'] {
    return (build) => this.#begin(build);
  }

  /** The method has ended. Returns a promise if a commit has not been answered yet. */
  end(): Promise<void> | undefined {
    if (this.#state === 'committing') return this.#whenCommitted();
    if (this.#state === 'open') this.#state = 'ended';
    return undefined;
  }

  #begin(build: (tx: ConfigTransaction) => void): Promise<void> {
    const isFirst = this.#state === 'open';
    const commit = this.#apply(build);
    // A method that does not wait for the commit fails with its error: see `end`.
    commit.catch(() => undefined);
    if (isFirst) this.#commit = commit;
    return commit;
  }

  async #whenCommitted(): Promise<void> {
    try {
      await this.#commit;
    } finally {
      void this.end();
    }
  }

  async #apply(build: (tx: ConfigTransaction) => void): Promise<void> {
    if (this.#state !== 'open') throw this.#misuse();
    this.#state = 'committing';
    try {
      await this.#owner.commit(this.#item, build);
      this.#state = 'committed';
    } catch (error) {
      this.#state = 'open';
      throw error;
    }
  }

  #misuse(): InvalidOptionsError {
    const reason = {
      open: '',
      committing: 'another commit() of this call is running; put all writes into one',
      committed: 'the call has applied a commit(), and can do it once; put all writes into one',
      ended: 'the call has ended; wait for commit() in the method',
    }[this.#state];
    return new InvalidOptionsError(`commit() of ${this.#owner.name}: ${reason}`);
  }
}
