import type { ClusterRuntime } from '../module/cluster.runtime.js';

/** An application, or a testing module. */
export interface SettlingApplication {
  /** @internal */
  get(type: typeof ClusterRuntime, options: { strict: false; each: true }): ClusterRuntime[];
}
