import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';

/** A change received from etcd, without secrets. */
export interface ActivityEntry {
  readonly subject: 'config' | 'event';
  readonly key: string;
  readonly type: 'put' | 'delete';
  /** Description of the change, with secrets masked. */
  readonly detail: string;
  readonly revision: number;
  readonly origin: string;
  /** Time in ISO 8601. */
  readonly at: string;
}

const MAX_ENTRIES = 50;

/** Longest key and longest detail of an entry, in characters: a value may have more than a megabyte. */
const MAX_CHARS = 500;

/** The latest changes received from etcd, newest first, and a stream of new ones. */
@Injectable()
export class Activity implements OnModuleDestroy {
  #latest: readonly ActivityEntry[] = [];
  readonly #added = new Subject<ActivityEntry>();

  get latest(): readonly ActivityEntry[] {
    return this.#latest;
  }

  get added$(): Observable<ActivityEntry> {
    return this.#added;
  }

  add(entry: Omit<ActivityEntry, 'at'>): void {
    const { key, detail } = entry;
    const added = { ...entry, key: cut(key), detail: cut(detail), at: new Date().toISOString() };
    this.#latest = [added, ...this.#latest].slice(0, MAX_ENTRIES);
    this.#added.next(added);
  }

  onModuleDestroy(): void {
    this.#added.complete();
  }
}

const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}...` : text);
