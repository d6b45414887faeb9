import type { Deliverable } from '../../watch/delivery/event-buffer.js';
import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import { type FormerPartitions, includesPosition, isHandled, revisionOf } from './group-cursor.js';
import { GroupItem } from './group-item.js';
import type { PartitionCursor } from './partition-cursor.js';
import { partitionOf } from './partition-of.js';
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
  readonly partitionKeyOf: (key: string) => string | undefined;
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
    const receivedAt = performance.now();
    if (!this.#options.isBatched) for (const each of placed) this.#add(each.event, [each], revision, receivedAt);
    else if (placed.length > 0) {
      const events = placed.map(({ event }) => event).filter((event) => this.#isWanted(event));
      this.#add({ revision, origin, events }, placed, revision, receivedAt);
    }
  }

  #add(subject: Deliverable, placed: readonly PlacedEvent[], revision: number, receivedAt: number): void {
    const last = placed.at(-1);
    const phaseKey = last?.count === 0 ? last.event.rawKey : undefined;
    const { progress, mayBeRepeated, cursor, push } = this.#options;
    const entry = progress.add(placed, revision, phaseKey, receivedAt);
    if (entry.isFinished) return;
    const { poison } = cursor;
    const isPoison = poison.length > 0 && entry.positions.some((position) => poison.includes(position));
    push(
      new GroupItem({
        subject,
        placed,
        entry,
        isSilent: 'events' in subject ? subject.events.length === 0 : !this.#isWanted(subject),
        redelivered: mayBeRepeated(revision, phaseKey !== undefined),
        failure: isPoison ? { attempts: 0, error: 'ProcessEnded' } : undefined,
      }),
    );
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
    const former = this.#formerOf(placed.event.key);
    if (!former) return false;
    const { position } = placed;
    return revisionOf(position) <= former.r || includesPosition(former.done, position);
  }

  /** The same for the last write of a key, as a list shows it. */
  #wasHandledBefore({ key, rawKey, revision, type }: ChangeEvent): boolean {
    const former = type === 'put' ? this.#formerOf(key) : undefined;
    return former !== undefined && isHandled(former, revision, rawKey);
  }

  #formerOf(key: string): FormerPartitions['cursors'][number] | undefined {
    const { cursor, partitionKeyOf } = this.#options;
    const { was } = cursor;
    return was?.cursors[partitionOf(partitionKeyOf(key) ?? '', was.partitions)];
  }
}
