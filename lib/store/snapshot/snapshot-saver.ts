import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeThrown } from '../../foreign/foreign-error.js';
import { within } from '../../timing/time-limit.js';
import { fileErrorCode } from './file-error-code.js';

export interface SnapshotSaverOptions {
  /** Saves the current configuration. */
  readonly save: () => Promise<void>;
  /** Path of the file, for log messages. */
  readonly path: string;
  readonly log: InstanceLog;
  /** Delay between a change and the save, in milliseconds. */
  readonly delayMs?: number;
  /** Interval of saves without a change, in milliseconds, so that an unchanged file does not expire. */
  readonly refreshMs?: number | undefined;
}

/**
 * Schedules saves: with a delay after a change, one at a time, and less often if a save takes long. Reports the first
 * failure and retries.
 */
export class SnapshotSaver {
  readonly #options: SnapshotSaverOptions;
  #timer: NodeJS.Timeout | undefined;
  /** The last save; saves run one after the other. */
  #saving: Promise<void> = Promise.resolve();
  #isDirty = false;
  #isFailing = false;
  #isClosed = false;
  #durationMs = 0;

  constructor(options: SnapshotSaverOptions) {
    this.#options = options;
  }

  changed(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    const { delayMs = DELAY_MS } = this.#options;
    this.#schedule(Math.max(this.#isFailing ? RETRY_MS : delayMs, this.#durationMs * PAUSE_FACTOR));
  }

  /** Saves pending changes and then stops. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.abandon();
    const saved = this.#saving.then(async () => {
      if (this.#isDirty || this.#options.refreshMs !== undefined) await this.#save();
    });
    await within(saved, CLOSE_LIMIT_MS);
  }

  /** Stops without saving. */
  abandon(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** The timer does not keep the process alive. */
  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#saving = this.#saving.then(() => this.#save()).catch(this.#recover);
    }, ms).unref();
  }

  async #save(): Promise<void> {
    const start = performance.now();
    this.#isDirty = false;
    const failure = await this.#options.save().then(() => undefined, fileErrorCode);
    this.#durationMs = performance.now() - start;
    this.#report(failure);
    if (failure !== undefined) this.changed();
    else this.#scheduleRefresh();
  }

  /** A save that fails unexpectedly must not end the saves after it. */
  readonly #recover = (error: unknown): void => {
    this.#report(describeThrown(error));
    this.changed();
  };

  #report(failure: string | undefined): void {
    const { path, log } = this.#options;
    const wasFailing = this.#isFailing;
    this.#isFailing = failure !== undefined;
    if (failure !== undefined && !wasFailing) {
      log.warn(`the offline snapshot ${path} cannot be written (${failure}); the write is retried`);
    }
    if (failure === undefined && wasFailing) log.info(`the offline snapshot ${path} can be written again`);
  }

  #scheduleRefresh(): void {
    const { refreshMs } = this.#options;
    if (refreshMs !== undefined && !this.#isDirty) this.#schedule(refreshMs);
  }
}

const DELAY_MS = 500;
const RETRY_MS = 10_000;
/** The pause between two saves is at least this multiple of the duration of a save. */
const PAUSE_FACTOR = 20;
const CLOSE_LIMIT_MS = 2_000;
