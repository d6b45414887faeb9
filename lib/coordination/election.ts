import type { Observable } from 'rxjs';
import type { Fence } from '../backend/fence.js';

/** The leader of an election, as an instance of the application has seen it. */
export interface ElectionLeader {
  /** Id of the leading instance, unique for each start of a process. */
  readonly instance: string;
  /** `podName` of the leading instance. */
  readonly pod: string;
  /** `Fence.token` of the term. */
  readonly token: number;
}

/** State of an election. */
export interface ElectionState {
  readonly isLeader: boolean;
  readonly leader: ElectionLeader | undefined;
}

/** An election in which this instance is a candidate. At most one instance leads at a time. */
export interface Election {
  readonly name: string;
  /**
   * True while this instance leads and etcd cannot have let another one in by the passing of time. Use the term as fence
   * of every write that must not happen after another instance has been elected.
   */
  readonly isLeader: boolean;
  /** The fence of the current term; `undefined` if this instance does not lead. */
  readonly term: Fence | undefined;
  /** The leader as last seen, which may be this instance; `undefined` if there is none. */
  readonly leader: ElectionLeader | undefined;
  /** Emits the state on subscription, and then every change of it. Completes when the module closes. */
  readonly changes$: Observable<ElectionState>;
  /**
   * Ends the term of this instance: aborts its signal, waits until every `@OnElected` method of this election has ended,
   * and lets the next leader in. Resolves then, or at once if it is called by such a method. Has no effect if this
   * instance does not lead.
   *
   * `standbyMs`: how long this instance is no candidate then, in milliseconds, unless another instance leads before.
   * Default: the time to live of the lease.
   * @throws InvalidOptionsError for an invalid `standbyMs`
   */
  resign(options?: { readonly standbyMs?: number }): Promise<void>;
}
