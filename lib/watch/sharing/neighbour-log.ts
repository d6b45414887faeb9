import type { KeyRange } from '../../backend/key-range.js';
import { keyText, rawKeyOf } from '../../backend/key-record.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Warns of targets that match other keys than their names suggest, because a separator is missing. */
export class NeighbourLog {
  readonly #log: InstanceLog;
  readonly #keyPrefix: string;

  constructor(log: InstanceLog, keyPrefix: string) {
    this.#log = log;
    this.#keyPrefix = rawKeyOf(keyPrefix);
  }

  /** Warns if the target continues the last name of the key prefix: `/tenant-1` and `limits`. */
  watched(range: KeyRange): void {
    const { kind, rawKey } = range;
    if (!ENDS_IN_NAME.test(this.#keyPrefix) || !STARTS_WITH_NAME.test(rawKey)) return;
    const joined = quoted(keyText(this.#keyPrefix + rawKey));
    this.#log.warn(
      `${range.toString()} is ${joined} in etcd, because "keyPrefix" does not end with a separator: begin the ${kind} with one, such as "/"`,
    );
  }

  /** Warns if the keys of the first list show that the prefix ends inside of the name of a neighbour. */
  listed(range: KeyRange, rawKeys: Iterable<string>): void {
    if (range.kind === 'key' || !ENDS_IN_NAME.test(this.#keyPrefix + range.rawKey)) return;
    const neighbour = neighbourIn(rawKeys, range.rawKey.length);
    if (neighbour === undefined) return;
    const found = quoted(keyText(this.#keyPrefix + neighbour));
    this.#log.warn(
      `${range.toString()} also covers ${found}: use the prefix ${quoted(`${keyText(range.rawKey)}/`)} if only the keys below it are meant`,
    );
  }
}

/**
 * Returns a key that continues the last name of the prefix, such as `/tenant-10/limits` for `/tenant-1`. It is meant if
 * all keys do so and have no further segment: `/node-1` and `/node-2` for `/node-`, or `/db1` and `/db2` for `/db`.
 */
function neighbourIn(rawKeys: Iterable<string>, length: number): string | undefined {
  let continued: string | undefined;
  let hasBelow = false;
  for (const rawKey of rawKeys) {
    const rest = rawKey.slice(length);
    const [name = ''] = STARTS_WITH_NAME.exec(rest) ?? [];
    if (name.length > 0 && name.length < rest.length) return rawKey;
    if (name.length > 0) continued ??= rawKey;
    else if (rest.length > 0) hasBelow = true;
    if (hasBelow && continued !== undefined) return continued;
  }
  return undefined;
}

/** Bytes of names: letters and digits, and any byte of a character outside of ASCII. */
const ENDS_IN_NAME = /[a-z\d\x80-\xff]$/i;
const STARTS_WITH_NAME = /^[\w\x80-\xff-]+/;
