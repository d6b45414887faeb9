import type { LiveValue } from '../store/changes/projected-config.js';

/**
 * A resource that is rebuilt when its configuration changes, as a pool of connections. `liveProvider` provides it.
 * `value` is the current resource; `onChange` and `changes$` deliver it and every later one, before the old one is
 * disposed.
 */
export interface Live<T> extends LiveValue<T> {
  /**
   * `kept`: the configuration has changed, but its resource could not be created, or the configuration was deleted; the
   * old resource stays.
   */
  readonly state: 'current' | 'kept';
  /**
   * Calls `run` with the current resource, which is not disposed before the result of `run` has settled, or `drainMs`
   * after its replacement. Returns the result of `run`.
   *
   * @throws ConnectionClosedError if the module is closed, and the errors of `run`
   */
  use<R>(run: (value: T) => R | Promise<R>): Promise<R>;
}

/** Why the old resource stays. */
export type KeptReason = 'create-failed' | 'config-deleted';

/** The state of one `liveProvider`, without its configuration. */
export interface LiveDescription {
  /** Name of the token that provides it. */
  readonly name: string;
  readonly state: Live<unknown>['state'] | 'starting' | 'closed';
  /** `undefined` unless the state is `kept`. */
  readonly reason: KeptReason | undefined;
  /** True while `create` is running. */
  readonly creating: boolean;
  /** Calls of `create` that have failed since the last one that succeeded. */
  readonly failures: number;
  /** Number of times that the resource was replaced. */
  readonly replacements: number;
  /** Calls of `use` in progress, on the current resource and on replaced ones. */
  readonly uses: number;
  /** Replaced resources that are not disposed yet. */
  readonly draining: number;
}
