import type { InstanceLog } from '../../etcd-trigger.log.js';
import { within } from '../../timing/time-limit.js';
import { fileErrorCode } from './file-error-code.js';

export interface SnapshotSaverOptions {
  /** Writes what readers see now. */
  readonly save: () => Promise<void>;
  /** Where, for log lines. */
  readonly path: string;
  readonly log: InstanceLog;
  /** How long changes are collected, in milliseconds. */
  readonly delayMs?: number;
  /** Saves also when nothing changed, so that the file does not look older than it is; in milliseconds. */
  readonly refreshMs?: number | undefined;
}

/** When to save: some time after a change, one at a time, and seldom where it takes long. A disk that fails is said once and tried again. */
export class SnapshotSaver {
  readonly #options: SnapshotSaverOptions;
  #timer: NodeJS.Timeout | undefined;
  /** One after the other. */
  #saving: Promise<void> = Promise.resolve();
  #isDirty = false;
  #isFailing = false;
  #isClosed = false;
  #tookMs = 0;

  constructor(options: SnapshotSaverOptions) {
    this.#options = options;
  }

  /** Something changed. */
  changed(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    const { delayMs = DELAY_MS } = this.#options;
    this.#after(Math.max(this.#isFailing ? RETRY_MS : delayMs, this.#tookMs * SHARE));
  }

  /** Saves what is not saved yet, and nothing afterwards. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.abandon();
    const saved = this.#saving.then(async () => {
      if (this.#isDirty || this.#options.refreshMs !== undefined) await this.#save();
    });
    await within(saved, CLOSE_LIMIT_MS);
  }

  /** Ends without saving. */
  abandon(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Never keeps a process alive. */
  #after(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#saving = this.#saving.then(() => this.#save());
    }, ms).unref();
  }

  async #save(): Promise<void> {
    const begun = performance.now();
    this.#isDirty = false;
    const failure = await this.#options.save().then(() => undefined, fileErrorCode);
    this.#tookMs = performance.now() - begun;
    this.#tell(failure);
    if (failure !== undefined) this.changed();
    else this.#refreshLater();
  }

  #tell(failure: string | undefined): void {
    const { path, log } = this.#options;
    const wasFailing = this.#isFailing;
    this.#isFailing = failure !== undefined;
    if (failure !== undefined && !wasFailing) {
      log.warn(`the offline snapshot ${path} cannot be written (${failure}); it is tried again`);
    }
    if (failure === undefined && wasFailing) log.info(`the offline snapshot ${path} can be written again`);
  }

  #refreshLater(): void {
    const { refreshMs } = this.#options;
    if (refreshMs !== undefined && !this.#isDirty) this.#after(refreshMs);
  }
}

const DELAY_MS = 500;
const RETRY_MS = 10_000;
/** At most one part of the time in so many is spent saving. */
const SHARE = 20;
const CLOSE_LIMIT_MS = 2_000;
