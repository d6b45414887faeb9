import { PERMISSION_HINT } from '../../backend/permission-hint.js';
import { ConnectionError, type EtcdTriggerError, PermissionDeniedError } from '../../etcd-trigger.errors.js';
import type { KeyChange } from '../../backend/key-record.js';
import {
  CompactedError,
  type StampList,
  type WatchHeader,
  type WatchMessage,
  type WatchStream,
} from '../../backend/list-watcher.js';
import type { FakeRange } from './fake-link.js';
import type { FakeServer, ServerWatch } from './fake-server.js';

export interface FakeWatchOptions {
  /** Operation for error messages, for example `watch prefix "/app/"`. */
  readonly what: string;
  /** Range to watch, including the application's key prefix. */
  readonly range: FakeRange;
  readonly start: number;
  /** Removes the application's key prefix. */
  readonly local: (change: KeyChange) => KeyChange;
  readonly stampsAt: (revision: number, signal: AbortSignal) => Promise<StampList>;
}

/**
 * One watch of the fake. As with etcd, no events arrive before the watch is accepted. Events are buffered while the
 * link is frozen or the reader is paused.
 */
export class FakeWatchStream implements WatchStream, ServerWatch {
  readonly created: Promise<WatchHeader>;
  readonly ended: Promise<EtcdTriggerError>;
  readonly #server: FakeServer;
  readonly #options: FakeWatchOptions;
  #resolveCreated!: (header: WatchHeader) => void;
  #rejectCreated!: (reason: EtcdTriggerError) => void;
  #resolveEnded!: (reason: EtcdTriggerError) => void;
  #state: 'pending' | 'accepted' | 'closed' = 'pending';
  #receive: ((message: WatchMessage) => void) | undefined;
  #isPaused = false;
  readonly #abort = new AbortController();
  /** Messages that the server has sent and the application has not read. An error ends the watch. */
  #buffer: (WatchMessage | EtcdTriggerError)[] = [];
  #next: number;

  constructor(server: FakeServer, options: FakeWatchOptions) {
    this.#server = server;
    this.#options = options;
    this.#next = options.start;
    this.created = new Promise((resolve, reject) => {
      this.#resolveCreated = resolve;
      this.#rejectCreated = reject;
    });
    this.created.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    server.add(this);
    server.flushSoon();
  }

  deliver(receive: (message: WatchMessage) => void): void {
    this.#receive = receive;
    this.#server.flushSoon();
  }

  stampsAt(revision: number): Promise<StampList> {
    return this.#options.stampsAt(revision, this.#abort.signal);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#server.flushSoon();
  }

  cancel(): void {
    this.#finish(new ConnectionError(`${this.#options.what}: cancelled`));
  }

  lost(): void {
    // A watch that is not accepted yet stays pending: the application waits for it.
    if (this.#state === 'accepted') this.#finish(new ConnectionError(`${this.#options.what}: the connection was lost`));
  }

  collect(): void {
    if (this.#state !== 'accepted') return;
    const revisions = this.#server.since(this.#options.range, this.#next);
    this.#next = Math.max(this.#next, this.#server.revision + 1);
    if (revisions.length === 0) return;
    const changes = revisions.flatMap((each) => each.changes).map((change) => this.#options.local(change));
    this.#buffer.push({ revision: this.#server.revision, fragment: false, changes });
  }

  bookmark(): void {
    if (this.#state !== 'accepted') return;
    this.#buffer.push({ revision: this.#server.revision, fragment: false, changes: [] });
  }

  flush(): void {
    if (this.#server.link.state !== 'connected') return;
    if (this.#state === 'pending') this.#admit();
    while (this.#receive && !this.#isPaused && this.#state === 'accepted') {
      const message = this.#buffer.shift();
      if (message === undefined) return;
      if (message instanceof Error) this.#finish(message);
      else this.#receive(message);
    }
  }

  #admit(): void {
    const { what, range, start } = this.#options;
    const { link, clusterId, revision, compacted } = this.#server;
    if (link.isDenied(range)) {
      this.#finish(new PermissionDeniedError(`${what}: etcdserver: permission denied${PERMISSION_HINT}`));
      return;
    }
    this.#state = 'accepted';
    this.#resolveCreated({ clusterId, revision });
    if (start < compacted) this.#buffer.push(new CompactedError(what, compacted));
    else this.collect();
  }

  #finish(reason: EtcdTriggerError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#buffer = [];
    this.#abort.abort(reason);
    this.#server.remove(this);
    this.#rejectCreated(reason);
    this.#resolveEnded(reason);
  }
}
