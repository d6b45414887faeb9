import {
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  type EtcdTriggerError,
  PermissionDeniedError,
  UnknownOutcomeError,
} from '../../etcd-trigger.errors.js';
import type { VirtualClock } from './virtual-clock.js';

/** One request of an application to the fake. */
export interface FakeRequest<Answer> {
  /** Operation and key for messages, as `get "/app/a"`. */
  readonly what: string;
  readonly key?: string | undefined;
  /** Keys and prefixes it touches, by their bytes. */
  readonly ranges: readonly FakeRange[];
  /** What was sent cannot be taken back: when its answer is lost, nobody knows whether it was applied. */
  readonly isWrite: boolean;
  /** Of the application, in virtual milliseconds. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the server does. Called once, at once or when the link lets it through. */
  readonly serve: () => Answer;
}

export interface FakeRange {
  readonly kind: 'key' | 'prefix';
  readonly rawKey: string;
}

interface HeldRequest {
  readonly owner: object;
  readonly what: string;
  /** The error of a request that was cut off. */
  readonly lost: () => EtcdTriggerError;
  readonly release: () => void;
  readonly fail: (error: EtcdTriggerError) => void;
}

/** What lies between applications and the fake: it may be cut, freeze, and forbid. */
export class FakeLink {
  readonly #clock: VirtualClock;
  readonly #denied = new Set<string>();
  readonly #held = new Set<HeldRequest>();
  #state: 'connected' | 'disconnected' | 'frozen' = 'connected';

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get state(): 'connected' | 'disconnected' | 'frozen' {
    return this.#state;
  }

  /** What was under way is lost. */
  disconnect(): void {
    this.#state = 'disconnected';
    for (const { fail, lost } of [...this.#held]) fail(lost());
  }

  /** From now on answers are held back; what is sent arrives. */
  freeze(): void {
    this.#state = 'frozen';
  }

  /** All is well; answers that were held back come now. */
  connect(): void {
    this.#state = 'connected';
    for (const { release } of [...this.#held]) release();
  }

  deny(prefix: string): void {
    this.#denied.add(prefix);
  }

  allow(prefix: string | undefined): void {
    if (prefix === undefined) this.#denied.clear();
    else this.#denied.delete(prefix);
  }

  /** Whether any key of the range is forbidden: etcd allows a whole range or nothing of it. */
  isDenied({ kind, rawKey }: FakeRange): boolean {
    return [...this.#denied].some(
      (prefix) => rawKey.startsWith(prefix) || (kind === 'prefix' && prefix.startsWith(rawKey)),
    );
  }

  /** The application has closed its connection. */
  close(owner: object): void {
    for (const { owner: other, what, fail } of [...this.#held]) {
      if (other === owner) fail(new ConnectionClosedError(`${what}: the module is closed`));
    }
  }

  /** @throws ConnectionError, ConnectionTimeoutError, UnknownOutcomeError, PermissionDeniedError as real etcd's connection does */
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
      const end = (): void => {
        this.#held.delete(held);
        cancelAlarm();
        signal?.removeEventListener('abort', abort);
      };
      const held: HeldRequest = {
        owner,
        what: request.what,
        lost: () => lostError(request),
        release: () => {
          end();
          resolve(Promise.resolve().then(answer));
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      const abort = (): void => {
        end();
        reject(signal?.reason as Error);
      };
      const cancelAlarm = this.#clock.after(request.limitMs, () => {
        held.fail(timedOut(request));
      });
      signal?.addEventListener('abort', abort);
      this.#held.add(held);
    });
  }
}

type Sent = Pick<FakeRequest<unknown>, 'what' | 'key' | 'isWrite' | 'limitMs'>;

const denied = (what: string, key: string | undefined): PermissionDeniedError =>
  new PermissionDeniedError(`${what}: etcdserver: permission denied`, { key });

const lostError = ({ what, key, isWrite }: Sent): EtcdTriggerError => {
  const cause = new ConnectionError(`${what}: the connection was lost`, { key });
  return isWrite ? unknown(what, key, cause) : cause;
};

const timedOut = ({ what, key, isWrite, limitMs }: Sent): EtcdTriggerError => {
  const cause = new ConnectionTimeoutError(`${what}: no answer within ${limitMs} ms`, { key });
  return isWrite ? unknown(what, key, cause) : cause;
};

const unknown = (what: string, key: string | undefined, cause: EtcdTriggerError): UnknownOutcomeError =>
  new UnknownOutcomeError(`${what}: the answer was lost, it may or may not have been applied; it was not sent again`, {
    key,
    cause,
  });
