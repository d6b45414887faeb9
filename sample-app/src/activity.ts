import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';

/** Something that came from etcd, as it may be shown. */
export interface ActivityEntry {
  readonly subject: 'config' | 'event';
  readonly key: string;
  readonly type: 'put' | 'delete';
  /** What is different, secrets masked. */
  readonly detail: string;
  readonly revision: number;
  readonly origin: string;
  /** ISO 8601. */
  readonly at: string;
}

const KEPT = 50;

/** What came from etcd, newest first, and what comes. */
@Injectable()
export class Activity implements OnModuleDestroy {
  #last: readonly ActivityEntry[] = [];
  readonly #added = new Subject<ActivityEntry>();

  get last(): readonly ActivityEntry[] {
    return this.#last;
  }

  get added$(): Observable<ActivityEntry> {
    return this.#added;
  }

  add(entry: Omit<ActivityEntry, 'at'>): void {
    const added = { ...entry, at: new Date().toISOString() };
    this.#last = [added, ...this.#last].slice(0, KEPT);
    this.#added.next(added);
  }

  onModuleDestroy(): void {
    this.#added.complete();
  }
}
