import { Injectable } from '@nestjs/common';
import { WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';
import { Activity } from './activity.js';
import { say } from './terminal.js';

export interface SeenEvent {
  readonly key: string;
  readonly type: WatchEvent['type'];
  readonly text: string | undefined;
  readonly revision: number;
}

const KEPT = 20;

/** Called for every change under `/app/events/`, and once for each event that is there at the start. */
@Injectable()
export class EventHandlers {
  readonly last: SeenEvent[] = [];

  constructor(private readonly activity: Activity) {}

  @WatchKey('/app/events/')
  onEvent({ key, type, value, revision, origin }: WatchEvent): void {
    const seen = { key, type, text: value?.toString(), revision };
    this.last.unshift(seen);
    this.last.length = Math.min(this.last.length, KEPT);
    this.activity.add({ subject: 'event', key, type, revision, origin, detail: seen.text ?? '' });
    say('event', `${key} ${type} ${seen.text ?? ''} (revision ${revision}, ${origin})`);
  }
}
