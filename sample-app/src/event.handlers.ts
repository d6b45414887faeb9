import { Injectable } from '@nestjs/common';
import { WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';
import { print } from './terminal.js';

export interface SeenEvent {
  readonly key: string;
  readonly type: WatchEvent['type'];
  readonly text: string | undefined;
  readonly revision: number;
}

const MAX_EVENTS = 20;

/** Called once for each existing key under `/app/events/`, then for every change. */
@Injectable()
export class EventHandlers {
  readonly latest: SeenEvent[] = [];

  @WatchKey('/app/events/')
  onEvent({ key, type, value, revision, origin }: WatchEvent): void {
    const seen = { key, type, text: value?.toString(), revision };
    this.latest.unshift(seen);
    this.latest.length = Math.min(this.latest.length, MAX_EVENTS);
    print('event', `${key} ${type} ${seen.text ?? ''} (revision ${revision}, ${origin})`);
  }
}
