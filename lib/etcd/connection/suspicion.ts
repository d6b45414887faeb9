/** Silence after which a session is late. */
const LATE_MS = 1_250;
const CHECK_MS = 125;

/** A session, as far as its silence is observed. */
export interface ObservedSession {
  readonly bytesReceived: number;
}

export interface SuspicionEvents {
  /** The session has been silent for too long; it may still answer. */
  onLate(): void;
  /** The session has answered. */
  onCleared(): void;
}

/** Observes a session that left a request unanswered, until it sends a byte or is given up. */
export class Suspicion {
  readonly #session: ObservedSession;
  readonly #events: SuspicionEvents;
  readonly #bytes: number;
  readonly #timer: NodeJS.Timeout;
  readonly #onOver = new Set<() => void>();
  readonly #since: number;
  #isLate = false;

  constructor(session: ObservedSession, silentMs: number, events: SuspicionEvents) {
    this.#session = session;
    this.#events = events;
    this.#bytes = session.bytesReceived;
    this.#since = performance.now() - silentMs;
    this.#timer = setInterval(() => {
      // Bytes that arrived during a stall of this process are read first.
      setImmediate(() => {
        this.#check();
      });
    }, CHECK_MS).unref();
  }

  get isLate(): boolean {
    return this.#isLate;
  }

  /** Resolves when the suspicion is over, or after the time. */
  async graceOf(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onOver.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  end(): void {
    clearInterval(this.#timer);
    for (const over of this.#onOver) over();
  }

  #check(): void {
    if (this.#session.bytesReceived !== this.#bytes) {
      this.end();
      this.#events.onCleared();
    } else if (!this.#isLate && performance.now() - this.#since >= LATE_MS) {
      this.#isLate = true;
      this.#events.onLate();
    }
  }
}
