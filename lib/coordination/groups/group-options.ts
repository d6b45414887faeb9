import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger, checkKnown, checkMilliseconds, checkOneOf, type OptionNames } from '../../option-checks.js';
import { checkName } from '../coordination-keys.js';

/** Options of a handler group: the instances of an application share the events of one `@WatchKey` method. */
export interface GroupOptions {
  /**
   * Durable name of the group, unique in the application: the cursor is stored under it, so a renamed class or method
   * keeps it. 1 to 128 of the characters `A-Z a-z 0-9 . _ : -`. A group has one handler.
   */
  readonly name: string;
  /**
   * Number of parts that the keys are divided into, from 1 to 42. One instance at a time handles a partition. Fixed when
   * the group is first used; see `GroupRegistry.repartition`.
   * @default 1
   */
  readonly partitions?: number | undefined;
  /**
   * Events with the same value of this stay together and in order: the name of a parameter of the pattern, such as
   * `tenant`.
   * @default the key
   */
  readonly partitionBy?: string | undefined;
  /**
   * The beginning of a group that has no cursor yet. `existing`: with the keys that exist. `now`: with the next change.
   * @default 'existing'
   */
  readonly from?: 'existing' | 'now' | undefined;
  /**
   * When the cursor is stored: after this many milliseconds or handled events. A crash repeats at most the events since
   * then.
   * @default { everyMs: 1_000, everyEvents: 1_000 }
   */
  readonly checkpoint?: GroupCheckpointOptions | undefined;
  /**
   * `keys`: etcd also stores which keys exist, so that deletions are known even if etcd has compacted them while no
   * instance was running.
   * @default 'nothing'
   */
  readonly remember?: 'nothing' | 'keys' | undefined;
}

/** Limits of the events that a crash repeats. */
export interface GroupCheckpointOptions {
  /**
   * Milliseconds between two writes of the cursor.
   * @default 1_000
   */
  readonly everyMs?: number | undefined;
  /**
   * Maximum number of handled events of a partition that are not stored yet. At this number, no further event starts.
   * @default 1_000
   */
  readonly everyEvents?: number | undefined;
}

/** Validated options with all defaults. */
export interface ResolvedGroup {
  readonly name: string;
  readonly partitions: number;
  readonly partitionBy: string | undefined;
  readonly from: 'existing' | 'now';
  readonly everyMs: number;
  readonly everyEvents: number;
  readonly remember: 'nothing' | 'keys';
}

/** etcd takes 128 compares in a transaction, and the checkpoint of a partition takes three. */
export const MAX_PARTITIONS = 42;

const GROUP_OPTIONS: OptionNames<GroupOptions> = {
  name: true,
  partitions: true,
  partitionBy: true,
  from: true,
  checkpoint: true,
  remember: true,
};
const CHECKPOINT_OPTIONS: OptionNames<GroupCheckpointOptions> = { everyMs: true, everyEvents: true };

/** The options of a handler that do not apply to a group, with the reasons. */
const REFUSED: Readonly<Record<string, string>> = {
  debounceMs: 'it delivers every event, and does not combine them',
  initial: 'use "group.from"',
  fromRevision: 'it continues at its cursor; use "group.from" for its first start',
  signal: 'it ends with the application; use WatchKeyRegistry.pause()',
};

/** @throws InvalidOptionsError naming the first invalid option */
export function resolveGroup(given: string | GroupOptions): ResolvedGroup {
  if (typeof given !== 'string' && (typeof given !== 'object' || (given as unknown) === null)) {
    throw new InvalidOptionsError(`"group" must be a name, or an object such as { name: 'billing', partitions: 8 }`);
  }
  const options: GroupOptions = typeof given === 'string' ? { name: given } : given;
  checkKnown(options, GROUP_OPTIONS, { path: 'group.' });
  const { name, partitions = 1, partitionBy, from = 'existing', remember = 'nothing' } = options;
  checkName(typeof given === 'string' ? '"group"' : '"group.name"', name);
  checkInteger('"group.partitions"', partitions, { min: 1, max: MAX_PARTITIONS });
  checkOneOf('"group.from"', from, ['existing', 'now']);
  checkOneOf('"group.remember"', remember, ['nothing', 'keys']);
  if (partitionBy !== undefined && typeof (partitionBy as unknown) !== 'string')
    throw new InvalidOptionsError('"group.partitionBy" must be the name of a parameter of the target');
  const checkpoint: unknown = options.checkpoint ?? {};
  if (typeof checkpoint !== 'object' || checkpoint === null)
    throw new InvalidOptionsError('"group.checkpoint" must be { everyMs?, everyEvents? }');
  checkKnown(checkpoint, CHECKPOINT_OPTIONS, { path: 'group.checkpoint.' });
  const { everyMs = 1_000, everyEvents = 1_000 } = checkpoint as GroupCheckpointOptions;
  checkMilliseconds('"group.checkpoint.everyMs"', everyMs, 1);
  checkInteger('"group.checkpoint.everyEvents"', everyEvents, { min: 1 });
  return { name, partitions, partitionBy, from, everyMs, everyEvents, remember };
}

/**
 * Checks the other options of a handler that has a group.
 * @throws InvalidOptionsError naming the first option that does not apply
 */
export function checkGroupHandler(options: {
  readonly order?: unknown;
  readonly delivery?: unknown;
  readonly [option: string]: unknown;
}): void {
  const refuse = (what: string, why: string): never => {
    throw new InvalidOptionsError(`${what} does not apply to a handler with "group": ${why}`);
  };
  if (options.delivery === 'latest') refuse(`"delivery": 'latest'`, 'it delivers every event');
  if (options.order === 'none') refuse(`"order": 'none'`, `its cursor needs an order; use 'key' or 'target'`);
  for (const [option, why] of Object.entries(REFUSED)) {
    if (options[option] !== undefined) refuse(`"${option}"`, why);
  }
}
