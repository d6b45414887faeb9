import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { described, type OptionNames } from '../../option-checks.js';

/** Options of a write that the audit trail records. Without the option `audit` they have no effect. */
export interface WriteNote {
  /** Name of the author, such as a user name; at most 256 characters. */
  readonly author?: string | undefined;
  /** Reason of the write, such as the number of a ticket; at most 1,024 characters. */
  readonly reason?: string | undefined;
}

/**
 * Name of an option that only the console and the command line set: the changed paths in the records, by key. They are
 * those that the author may know, which do not tell whether a secret that was sent is the current one.
 */
export const CHANGED_PATHS = Symbol('changedPaths');

/** The part of a write's options that is recorded. */
export interface RecordedNote extends WriteNote {
  readonly [CHANGED_PATHS]?: ReadonlyMap<string, readonly string[]> | undefined;
}

export const WRITE_NOTE: OptionNames<WriteNote> = { author: true, reason: true };

/**
 * Returns the part of a write's options that is recorded.
 * @throws InvalidOptionsError for a text that is empty or too long
 */
export function noteOf(what: string, options: RecordedNote, key?: string): RecordedNote {
  const { author, reason, [CHANGED_PATHS]: paths } = options;
  check(`${what}: author`, author, MAX_AUTHOR, key);
  check(`${what}: reason`, reason, MAX_REASON, key);
  return { author, reason, [CHANGED_PATHS]: paths };
}

function check(subject: string, value: unknown, max: number, key: string | undefined): void {
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= max)) return;
  const given = typeof value === 'string' ? `${value.length} characters` : described(value);
  throw new InvalidOptionsError(`${subject} must be a string of 1 to ${max} characters, not ${given}`, { key });
}

/** Characters of the name of an author. */
export const MAX_AUTHOR = 256;
const MAX_REASON = 1_024;
