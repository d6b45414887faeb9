import type { ResyncNotice, WatchEvent } from 'nestjs-etcd-trigger';

/** Records the events and notices of one listener in order. */
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

  /** State built from the events. */
  get state(): Record<string, string> {
    const state: Record<string, string> = {};
    for (const { type, key, value } of this.events) {
      if (type === 'delete') Reflect.deleteProperty(state, key);
      else state[key] = value?.toString() ?? '';
    }
    return state;
  }
}
