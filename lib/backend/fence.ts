import { FenceLostError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { Condition } from './key-value-store.js';

/**
 * Proof of ownership: an election's term, for example. Writes that require it are refused by etcd once the ownership
 * has ended.
 */
export interface Fence {
  /** The name of what is owned. */
  readonly name: string;
  /**
   * Grows with every owner. A resource outside of etcd should refuse a token that is lower than the highest it has seen.
   * A restore of etcd without `--bump-revision` sets it back.
   */
  readonly token: number;
  /**
   * True only while etcd cannot have let another owner in by the passing of time. Computed from the clocks at each
   * read, so it is right even if no timer could run. Only a fenced write is safe against everything else.
   */
  readonly held: boolean;
  /**
   * Aborts when this instance can no longer be sure of its ownership, when the ownership is taken away, and when this
   * instance gives it up, such as at shutdown.
   */
  readonly signal: AbortSignal;
  /**
   * Asks etcd (linearizable). True if the ownership existed when etcd answered.
   * @throws ConnectionError, ConnectionTimeoutError if etcd does not answer
   */
  readonly verify: () => Promise<boolean>;
}

/** The fences of one cluster, and the conditions that they are in a transaction. */
export class FenceRegistry {
  readonly #conditions = new WeakMap<Fence, Condition>();

  add(fence: Fence, condition: Condition): void {
    this.#conditions.set(fence, condition);
  }

  /** @throws InvalidOptionsError for a fence of another cluster, and for anything else */
  conditionOf(what: string, fence: Fence): Condition {
    const condition = this.#conditions.get(fence);
    if (condition) return condition;
    throw new InvalidOptionsError(
      `${what}: the fence is not one of this cluster; pass a fence that the same cluster has handed out`,
    );
  }
}

/**
 * Returns the fence of a write's options as a list.
 * @throws InvalidOptionsError for `fence: undefined`, such as the term of an election that another instance leads: the
 * write would not be fenced
 */
export function fencesOf(what: string, options: { readonly fence?: Fence | undefined }, key: string): readonly Fence[] {
  if (!Object.hasOwn(options, 'fence')) return [];
  const { fence } = options;
  if (fence) return [fence];
  throw new InvalidOptionsError(
    `${what}: "fence" is ${String(fence)}, like the term of an election that this instance does not lead; leave the option out to write without a fence`,
    { key },
  );
}

export const fenceLost = (what: string, { name, token }: Fence, key?: string): FenceLostError =>
  new FenceLostError(
    `${what}: this instance no longer owns "${name}" (token ${token}); the write was not applied and never will be`,
    { key },
  );
