import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import { type FormerPartitions, includesPosition, isHandled, revisionOf } from './group-cursor.js';
import { GroupItem } from './group-item.js';
import type { PartitionCursor } from './partition-cursor.js';
import { partitionOf, type PartitionText } from './partition-of.js';
import type { PartitionProgress } from './partition-progress.js';
import { PlacedEvent } from './placed-event.js';

export interface PartitionIntakeOptions {
  readonly progress: PartitionProgress;
  readonly isBatched: boolean;
  readonly events: 'put' | 'delete' | 'both';
  /** True if the events that the handler does not want change which keys are remembered. */
  readonly remembers: boolean;
  /** True if another owner may have handled an event of this revision. */
  readonly mayBeRepeated: (revision: number, isPhase: boolean) => boolean;
  /** Has the positions that are parked instead of being called. */
  readonly cursor: Pick<PartitionCursor, 'poison' | 'was'>;
  readonly partitionText: PartitionText | undefined;
  readonly push: (item: GroupItem) => void;
}

/** Turns received events into items for the handler, without those that are handled already. */
export class PartitionIntake {
  readonly #options: PartitionIntakeOptions;

  constructor(options: PartitionIntakeOptions) {
    this.#options = options;
  }

  /** One revision. */
  live({ revision, origin }: Pick<ChangeBatch, 'revision' | 'origin'>, placed: readonly PlacedEvent[]): void {
    this.#addAll(
      revision,
      origin,
      placed.filter((each) => this.#isTaken(each.event) && !this.#wasHandled(each)),
    );
  }

  /** All keys of a phase that are not handled yet, in key order. */
  phase(revision: number, events: readonly ChangeEvent[]): void {
    const placed = events
      .filter((event) => this.#isTaken(event) && !this.#wasHandledBefore(event))
      .map((event) => new PlacedEvent(event));
    this.#addAll(revision, placed[0]?.event.origin ?? 'initial', placed);
    this.#options.progress.listed();
  }

  #addAll(revision: number, origin: ChangeBatch['origin'], placed: readonly PlacedEvent[]): void {
    const at = performance.now();
    const isPhase = placed[0]?.count === 0;
    const redelivered = this.#options.mayBeRepeated(revision, isPhase);
    if (!this.#options.isBatched) {
      for (const each of placed) {
        const { event } = each;
        this.#add(new GroupItem({ subject: event, placed: [each], at, isSilent: !this.#isWanted(event), redelivered }));
      }
    } else if (placed.length > 0) {
      const events = placed.map(({ event }) => event).filter((event) => this.#isWanted(event));
      const subject = { revision, origin, events };
      this.#add(new GroupItem({ subject, placed, at, isSilent: events.length === 0, redelivered }));
    }
  }

  #add(item: GroupItem): void {
    const { progress, cursor, push } = this.#options;
    progress.add(item);
    if (item.isFinished) return;
    const { poison } = cursor;
    if (poison.length > 0 && item.positions.some((position) => poison.includes(position)))
      item.failure = { attempts: 0, error: 'ProcessEnded' };
    push(item);
  }

  #isTaken(event: ChangeEvent): boolean {
    return this.#options.remembers || this.#isWanted(event);
  }

  #isWanted({ type }: ChangeEvent): boolean {
    const { events } = this.#options;
    return events === 'both' || events === type;
  }

  /** True if the event was handled under another number of partitions. */
  #wasHandled(placed: PlacedEvent): boolean {
    const former = this.#formerOf(placed.event.rawKey);
    if (!former) return false;
    const { position } = placed;
    return revisionOf(position) <= former.r || includesPosition(former.done, position);
  }

  /** The same for the last write of a key, as a list shows it. */
  #wasHandledBefore({ rawKey, revision, type }: ChangeEvent): boolean {
    const former = type === 'put' ? this.#formerOf(rawKey) : undefined;
    return former !== undefined && isHandled(former, revision, rawKey);
  }

  #formerOf(rawKey: string): FormerPartitions['cursors'][number] | undefined {
    const { cursor, partitionText } = this.#options;
    const { was } = cursor;
    const partition = was && partitionOf(rawKey, was.partitions, partitionText);
    return partition === undefined ? undefined : was?.cursors[partition];
  }
}
