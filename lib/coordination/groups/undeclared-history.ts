import type { ResyncNotice } from '../../watch/watch-event.js';

type Reason = ResyncNotice['reason'];

/**
 * The partitions whose next owner has to declare that the store has another history. Every instance notes that, because
 * each of them may be the next owner.
 */
export class UndeclaredHistory {
  /** With the token of the owner at that time; `undefined` for none. */
  readonly #partitions = new Map<number, { readonly reason: Reason; readonly token: number | undefined }>();

  /** @param token of the owner as last seen, who gives the partition up */
  note(partition: number, reason: Reason, token: number | undefined): void {
    this.#partitions.set(partition, { reason, token });
  }

  reasonOf(partition: number): Reason | undefined {
    return this.#partitions.get(partition)?.reason;
  }

  /** This instance has declared it, or has seen a later owner, who has noted it as well. */
  declared(partition: number): void {
    this.#partitions.delete(partition);
  }

  /** @param tokens of the present owners other than this instance, by partition */
  seen(tokens: ReadonlyMap<number, number>): void {
    for (const [partition, token] of tokens) {
      const noted = this.#partitions.get(partition);
      if (noted && noted.token !== token) this.declared(partition);
    }
  }
}
