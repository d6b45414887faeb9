import type { ResyncNotice, WatchEvent } from 'nestjs-etcd-trigger';

/** What one listener was given, in the order in which it was given. */
export class Recorder {
  readonly events: WatchEvent[] = [];
  readonly notices: ResyncNotice[] = [];

  readonly onEvent = (event: WatchEvent): void => {
    this.events.push(event);
  };

  readonly onResync = (notice: ResyncNotice): void => {
    this.notices.push(notice);
  };

  get revisions(): number[] {
    return this.events.map(({ revision }) => revision);
  }

  /** The state that the events make. */
  get state(): Record<string, string> {
    const state: Record<string, string> = {};
    for (const { type, key, value } of this.events) {
      if (type === 'delete') Reflect.deleteProperty(state, key);
      else state[key] = value?.toString() ?? '';
    }
    return state;
  }
}
