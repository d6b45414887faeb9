import type { ChangeBatch, ChangeEvent } from '../../watch/stream/change-event.js';
import { type FormerPartitions, includesPosition, isHandled, keyPosition, revisionOf } from './group-cursor.js';
import type { PartitionCursor } from './partition-cursor.js';
import type { GroupItem } from './group-item.js';
import { partitionOf } from './partition-of.js';
import type { PartitionProgress } from './partition-progress.js';

/** An event of a partition with its position among all events of the target. */
export interface PlacedEvent {
  readonly event: ChangeEvent;
  readonly position: string;
}

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
    const added = placed.filter(({ event, position }) => this.#isTaken(event) && !this.#wasHandled(event, position));
    if (this.#options.isBatched) this.#add(revision, origin, added, undefined);
    else for (const each of added) this.#add(revision, origin, [each], undefined);
  }

  /** All keys of a phase that are not handled yet, in key order. */
  phase(revision: number, events: readonly ChangeEvent[]): void {
    const { progress, isBatched } = this.#options;
    const placed = events
      .filter((event) => this.#isTaken(event) && !this.#wasHandledBefore(event))
      .map((event) => ({ event, position: keyPosition(event.rawKey) }));
    const origin = placed[0]?.event.origin ?? 'initial';
    if (isBatched) this.#add(revision, origin, placed, placed.at(-1)?.event.rawKey);
    else for (const each of placed) this.#add(revision, origin, [each], each.event.rawKey);
    progress.listed();
  }

  #add(
    revision: number,
    origin: ChangeBatch['origin'],
    placed: readonly PlacedEvent[],
    phaseKey: string | undefined,
  ): void {
    const [first] = placed;
    if (!first) return;
    const { progress, isBatched, mayBeRepeated, cursor, push } = this.#options;
    const positions = placed.map(({ position }) => position);
    const entry = progress.add(positions, revision, phaseKey);
    if (entry.isFinished) return;
    const changes = placed.map(({ event }) => event);
    const wanted = changes.filter((event) => this.#isWanted(event));
    push({
      subject: isBatched ? { revision, origin, events: wanted } : first.event,
      changes,
      entry,
      isSilent: wanted.length === 0,
      redelivered: mayBeRepeated(revision, phaseKey !== undefined),
      isFinished: false,
      failure: positions.some((position) => cursor.poison.includes(position))
        ? { attempts: 0, error: 'ProcessEnded' }
        : undefined,
    });
  }

  #isTaken(event: ChangeEvent): boolean {
    return this.#options.remembers || this.#isWanted(event);
  }

  #isWanted({ type }: ChangeEvent): boolean {
    const { events } = this.#options;
    return events === 'both' || events === type;
  }

  /** True if the event was handled under another number of partitions. */
  #wasHandled({ key }: ChangeEvent, position: string): boolean {
    const former = this.#formerOf(key);
    return former !== undefined && (revisionOf(position) <= former.r || includesPosition(former.done, position));
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
