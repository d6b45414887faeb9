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
  /** For messages, as `watch prefix "/app/"`. */
  readonly what: string;
  /** What to watch, with the application's key prefix. */
  readonly range: FakeRange;
  readonly start: number;
  /** Takes the application's key prefix off. */
  readonly local: (change: KeyChange) => KeyChange;
  readonly stampsAt: (revision: number, signal: AbortSignal) => Promise<StampList>;
}

/** One watch of the fake. Like etcd, it lets nothing flow before it was accepted, and holds back what the link or its reader does not let through. */
export class FakeWatchStream implements WatchStream, ServerWatch {
  readonly created: Promise<WatchHeader>;
  readonly ended: Promise<EtcdTriggerError>;
  readonly #server: FakeServer;
  readonly #options: FakeWatchOptions;
  #accept!: (header: WatchHeader) => void;
  #refuse!: (reason: EtcdTriggerError) => void;
  #end!: (reason: EtcdTriggerError) => void;
  #state: 'asking' | 'accepted' | 'over' = 'asking';
  #receive: ((message: WatchMessage) => void) | undefined;
  #isPaused = false;
  readonly #abort = new AbortController();
  /** What the server has sent and the application has not read; the reason of the end comes last. */
  #sent: (WatchMessage | EtcdTriggerError)[] = [];
  #next: number;

  constructor(server: FakeServer, options: FakeWatchOptions) {
    this.#server = server;
    this.#options = options;
    this.#next = options.start;
    this.created = new Promise((resolve, reject) => {
      this.#accept = resolve;
      this.#refuse = reject;
    });
    this.created.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
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
    // One that still asks to be let in goes on asking.
    if (this.#state === 'accepted') this.#finish(new ConnectionError(`${this.#options.what}: the connection was lost`));
  }

  collect(): void {
    if (this.#state !== 'accepted') return;
    const revisions = this.#server.since(this.#options.range, this.#next);
    this.#next = Math.max(this.#next, this.#server.revision + 1);
    if (revisions.length === 0) return;
    const changes = revisions.flatMap((each) => each.changes).map((change) => this.#options.local(change));
    this.#sent.push({ revision: this.#server.revision, fragment: false, changes });
  }

  flush(): void {
    if (this.#server.link.state !== 'connected') return;
    if (this.#state === 'asking') this.#admit();
    while (this.#receive && !this.#isPaused && this.#state === 'accepted') {
      const message = this.#sent.shift();
      if (message === undefined) return;
      if (message instanceof Error) this.#finish(message);
      else this.#receive(message);
    }
  }

  #admit(): void {
    const { what, range, start } = this.#options;
    const { link, clusterId, revision, compacted } = this.#server;
    if (link.isDenied(range)) {
      this.#finish(new PermissionDeniedError(`${what}: etcdserver: permission denied`));
      return;
    }
    this.#state = 'accepted';
    this.#accept({ clusterId, revision });
    if (start < compacted) this.#sent.push(new CompactedError(what, compacted));
    else this.collect();
  }

  #finish(reason: EtcdTriggerError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#sent = [];
    this.#abort.abort();
    this.#server.remove(this);
    this.#refuse(reason);
    this.#end(reason);
  }
}
