import type { ListenerRegistration, RangeListener } from '../../watch/sharing/range-listener.js';
import type { SharedRange } from '../../watch/sharing/shared-range.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';

/** Receives what a layer reports. */
export interface LayerSink {
  /** The layer was listed, or its changes were delivered. */
  changed(batch: ChangeBatch): void;
  /** The stream of the layer was interrupted, or follows again. */
  stateChanged(): void;
}

/** Follows the key of one layer. It only notices changes: the layers are then read together. */
export class LayerListener implements RangeListener {
  readonly registration: ListenerRegistration;
  isInterrupted = false;
  isListed = false;
  /** Revision of the last deletion. */
  deletedAt = 0;
  readonly #sink: LayerSink;

  constructor(
    readonly key: string,
    readonly watched: SharedRange,
    sink: LayerSink,
  ) {
    this.#sink = sink;
    this.registration = watched.register(this, { initial: true });
  }

  canAccept(): boolean {
    return true;
  }

  deliver(batch: ChangeBatch): void {
    this.isListed = true;
    for (const { type, revision } of batch.events) if (type === 'delete') this.deletedAt = revision;
    this.#sink.changed(batch);
  }

  interrupted(): void {
    this.isInterrupted = true;
    this.#sink.stateChanged();
  }

  following(): void {
    this.isInterrupted = false;
    this.#sink.stateChanged();
  }
}
