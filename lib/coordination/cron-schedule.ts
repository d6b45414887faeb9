import { described } from '../option-checks.js';
import type * as Cron from 'cron';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { loadPackage } from '../foreign/optional-package.js';

/** An hour: no time zone repeats more. */
const HOUR_MS = 3_600_000;

/** The ticks of one expression in one time zone, as the package `cron` calculates them. */
export class CronSchedule {
  readonly #time: Cron.CronTime;
  readonly #timeZone: string;
  /** The last result: callers ask for the same tick until it is due. */
  #known: { readonly after: number; readonly tick: number | undefined } | undefined;

  /**
   * @param timeZone `undefined`: the time zone of the process
   * @throws InvalidOptionsError for an invalid expression or time zone, and if the package `cron` is not installed
   */
  constructor(
    readonly expression: string,
    timeZone: string | undefined,
    load: (name: string) => unknown = loadPackage,
  ) {
    const { CronTime } = loadCron(load);
    if (timeZone !== undefined && !isTimeZone(timeZone)) {
      throw new InvalidOptionsError(
        `"timeZone" must be the name of a time zone such as 'Europe/Berlin', not ${described(timeZone)}`,
      );
    }
    this.#timeZone = timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    try {
      this.#time = new CronTime(expression, this.#timeZone);
    } catch (cause) {
      throw new InvalidOptionsError(
        `${described(expression)} is not a cron expression such as '0 30 2 * * *' or '*/5 * * * *'`,
        { cause },
      );
    }
  }

  /** Returns the first tick after a time, in milliseconds since 1970; `undefined` if none follows within years. */
  next(after: number): number | undefined {
    if (this.#known?.after !== after) this.#known = { after, tick: this.#nextAfter(after) };
    return this.#known.tick;
  }

  /** The calculation is one of local times, so in a repeated hour it may return an earlier instant. */
  #nextAfter(after: number): number | undefined {
    try {
      for (let from = after; ; from += HOUR_MS) {
        const tick = this.#time.getNextDateFrom(new Date(from), this.#timeZone).toMillis();
        if (tick > after) return tick;
      }
    } catch {
      return undefined;
    }
  }
}

function loadCron(load: (name: string) => unknown): typeof Cron {
  try {
    return load('cron') as typeof Cron;
  } catch {
    throw new InvalidOptionsError('@ClusterCron needs the package "cron": npm install cron');
  }
}

function isTimeZone(name: unknown): boolean {
  try {
    return typeof name === 'string' && name !== '' && Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}
