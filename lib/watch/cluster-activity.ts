import type { ClusterBackend } from './cluster-backend.js';
import type { WatchedRange } from './watched-range.js';

/** What is under way in one cluster of an application, for tests that wait until nothing is. */
export interface ClusterActivity {
  readonly backend: ClusterBackend;
  readonly ranges: readonly WatchedRange[];
  /** What is being worked on, as `OrderEvents.onOrder: 2 events`. A handler that was paused is not at work. */
  readonly busy: readonly string[];
}
