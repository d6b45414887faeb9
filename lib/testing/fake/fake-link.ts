import { PERMISSION_HINT } from '../../backend/permission-hint.js';
import {
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  type EtcdTriggerError,
  PermissionDeniedError,
  UnknownOutcomeError,
} from '../../etcd-trigger.errors.js';
import type { VirtualClock } from './virtual-clock.js';

/** A request of an application to the fake. */
export interface FakeRequest<Answer> {
  /** Operation and key for error messages, for example `get "/app/a"`. */
  readonly what: string;
  readonly key?: string | undefined;
  /** Keys and prefixes that the request uses. */
  readonly ranges: readonly FakeRange[];
  /** True if the outcome is unknown when the response is lost. */
  readonly isWrite: boolean;
  /** Request timeout in virtual milliseconds. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Runs the request on the server. Called once, immediately or when the link is connected again. */
  readonly serve: () => Answer;
}

export interface FakeRange {
  readonly kind: 'key' | 'prefix';
  readonly rawKey: string;
}

interface PendingRequest {
  readonly owner: object;
  readonly what: string;
  /** Creates the error for a request whose connection is cut. */
  readonly lostError: () => EtcdTriggerError;
  readonly release: () => void;
  readonly fail: (error: EtcdTriggerError) => void;
}

/** Network between the applications and the fake server. It can be cut and frozen, and it checks permissions. */
export class FakeLink {
  readonly #clock: VirtualClock;
  readonly #denied = new Set<string>();
  readonly #pending = new Set<PendingRequest>();
  #state: 'connected' | 'disconnected' | 'frozen' = 'connected';
  #interruptedAt: number | undefined;
  #interruptedMs = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get state(): 'connected' | 'disconnected' | 'frozen' {
    return this.#state;
  }

  /** Virtual milliseconds during which the link was disconnected or frozen, in total. */
  get interruptedMs(): number {
    return this.#interruptedMs + (this.#interruptedAt === undefined ? 0 : this.#clock.now - this.#interruptedAt);
  }

  /** Fails the pending requests and refuses new ones. */
  disconnect(): void {
    this.#state = 'disconnected';
    this.#interruptedAt ??= this.#clock.now;
    for (const { fail, lostError } of [...this.#pending]) fail(lostError());
  }

  /** Holds back responses from now on. Requests still arrive. */
  freeze(): void {
    this.#state = 'frozen';
    this.#interruptedAt ??= this.#clock.now;
  }

  /** Ends a disconnection or a freeze and delivers the responses that were held back. */
  connect(): void {
    this.#interruptedMs = this.interruptedMs;
    this.#interruptedAt = undefined;
    this.#state = 'connected';
    for (const { release } of [...this.#pending]) release();
  }

  deny(prefix: string): void {
    this.#denied.add(prefix);
  }

  allow(prefix: string | undefined): void {
    if (prefix === undefined) this.#denied.clear();
    else this.#denied.delete(prefix);
  }

  /** True if any key of the range is denied: etcd permits a range only as a whole. */
  isDenied({ kind, rawKey }: FakeRange): boolean {
    return [...this.#denied].some(
      (prefix) => rawKey.startsWith(prefix) || (kind === 'prefix' && prefix.startsWith(rawKey)),
    );
  }

  /** Fails the pending requests of an application that has closed its connection. */
  close(owner: object): void {
    for (const { owner: other, what, fail } of [...this.#pending]) {
      if (other === owner) fail(new ConnectionClosedError(`${what}: the module is closed`));
    }
  }

  /**
   * @throws ConnectionError, ConnectionTimeoutError, UnknownOutcomeError, PermissionDeniedError, like a real connection
   */
  async request<Answer>(owner: object, request: FakeRequest<Answer>): Promise<Answer> {
    const { what, key, ranges, isWrite, signal, serve } = request;
    signal?.throwIfAborted();
    if (this.#state === 'disconnected') {
      throw new ConnectionError(`${what}: the fake cluster is disconnected`, { key });
    }
    if (ranges.some((range) => this.isDenied(range))) throw denied(what, key);
    if (this.#state === 'connected') return serve();
    if (!isWrite) return this.#hold(owner, request, serve);
    const answer = serve();
    return this.#hold(owner, request, () => answer);
  }

  #hold<Answer>(owner: object, request: FakeRequest<Answer>, answer: () => Answer): Promise<Answer> {
    const { signal } = request;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#pending.delete(pending);
        cancelTimer();
        signal?.removeEventListener('abort', abort);
      };
      const pending: PendingRequest = {
        owner,
        what: request.what,
        lostError: () => connectionLost(request),
        release: () => {
          settle();
          resolve(Promise.resolve().then(answer));
        },
        fail: (error) => {
          settle();
          reject(error);
        },
      };
      const abort = (): void => {
        settle();
        reject(signal?.reason as Error);
      };
      const cancelTimer = this.#clock.after(request.limitMs, () => {
        pending.fail(timedOut(request));
      });
      signal?.addEventListener('abort', abort);
      this.#pending.add(pending);
    });
  }
}

type Sent = Pick<FakeRequest<unknown>, 'what' | 'key' | 'isWrite' | 'limitMs'>;

const denied = (what: string, key: string | undefined): PermissionDeniedError =>
  new PermissionDeniedError(`${what}: etcdserver: permission denied${PERMISSION_HINT}`, { key });

const connectionLost = ({ what, key, isWrite }: Sent): EtcdTriggerError => {
  const cause = new ConnectionError(`${what}: the connection was lost`, { key });
  return isWrite ? unknown(what, key, cause) : cause;
};

const timedOut = ({ what, key, isWrite, limitMs }: Sent): EtcdTriggerError => {
  const cause = new ConnectionTimeoutError(`${what}: no answer within ${limitMs} ms`, { key });
  return isWrite ? unknown(what, key, cause) : cause;
};

const unknown = (what: string, key: string | undefined, cause: EtcdTriggerError): UnknownOutcomeError =>
  new UnknownOutcomeError(
    `${what}: the answer was lost, so it may or may not have been applied; it was not sent again`,
    {
      key,
      cause,
    },
  );
