interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

/** Time that passes only when it is told to; in milliseconds from 0. */
export class VirtualClock {
  #now = 0;
  readonly #alarms = new Set<Alarm>();

  get now(): number {
    return this.#now;
  }

  /** Calls `ring` once, when so much time has passed. Returns what takes the alarm back. */
  after(ms: number, ring: () => void): () => void {
    const alarm = { at: this.#now + ms, ring };
    this.#alarms.add(alarm);
    return () => {
      this.#alarms.delete(alarm);
    };
  }

  /** Lets time pass; what is due rings in its order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let next = this.#nextBefore(until); next; next = this.#nextBefore(until)) {
      this.#alarms.delete(next);
      this.#now = next.at;
      next.ring();
    }
    this.#now = until;
  }

  #nextBefore(until: number): Alarm | undefined {
    const due = [...this.#alarms].filter(({ at }) => at <= until);
    return due.reduce<Alarm | undefined>((first, alarm) => (first && first.at <= alarm.at ? first : alarm), undefined);
  }
}
