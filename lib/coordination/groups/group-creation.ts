import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { GroupKeys } from '../coordination-keys.js';
import type { FollowedGroup } from './followed-group.js';
import { createGroup, type GroupConfig } from './group-config.js';
import type { CursorStamp } from './group-cursor.js';
import type { GroupHandler } from './group-handler.js';
import type { GroupProblems } from './group-problems.js';

export interface GroupCreationOptions {
  readonly keyValue: KeyValueStore;
  readonly keys: GroupKeys;
  readonly handler: GroupHandler;
  readonly config: GroupConfig;
  readonly stamp: () => CursorStamp;
  readonly problems: GroupProblems;
  readonly stopping: AbortSignal;
  readonly followed: () => FollowedGroup | undefined;
}

/** Creates a group that was never used. */
export class GroupCreation {
  readonly #options: GroupCreationOptions;
  #isRunning = false;

  constructor(options: GroupCreationOptions) {
    this.#options = options;
  }

  /** Tries until somebody has created the group and this instance has seen that. Idempotent. */
  begin(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    const { keyValue, keys, handler, config, stamp, problems, stopping, followed } = this.#options;
    const group = { config, from: handler.options.from, stamp: stamp() };
    for (let failures = 0; !stopping.aborted && followed()?.config === undefined; failures += 1) {
      try {
        await createGroup(keyValue, keys, group);
        problems.clear('group');
        await followed()?.whenConfigured();
      } catch (error) {
        await problems.pauseAfter('group', error, failures);
      }
    }
  }
}
