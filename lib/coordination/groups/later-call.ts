import type { CallOutcome, PendingCall } from '../../watch/delivery/delivery-queue.js';

/** A call that begins later, or goes on after the end of another one. */
export class LaterCall implements PendingCall {
  #outcome: CallOutcome | undefined;
  #onEnd: ((outcome: CallOutcome) => void) | undefined;

  follow(outcome: CallOutcome | PendingCall): void {
    if (typeof outcome === 'string') this.end(outcome);
    else {
      outcome.whenEnded((late) => {
        this.end(late);
      });
    }
  }

  end(outcome: CallOutcome): void {
    this.#outcome = outcome;
    this.#onEnd?.(outcome);
  }

  whenEnded(callback: (outcome: CallOutcome) => void): void {
    if (this.#outcome === undefined) this.#onEnd = callback;
    else callback(this.#outcome);
  }
}
