import { described } from '../option-checks.js';
import type { KeyRange } from '../backend/key-range.js';
import { rawKeyOf } from '../backend/key-record.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';

/** The keys of the coordination of one cluster, as raw keys. `v1` is the version of their layout. */
export class CoordinationKeys {
  readonly #prefix: string;

  /** @param prefix without a trailing slash */
  constructor(prefix: string) {
    this.#prefix = rawKeyOf(`${prefix}/v1/`);
  }

  /** True if the range contains keys of the coordination, or may contain them. */
  overlaps({ kind, rawKey }: KeyRange): boolean {
    return rawKey.startsWith(this.#prefix) || (kind === 'prefix' && this.#prefix.startsWith(rawKey));
  }

  /** The prefix of the list of instances, with a trailing slash. */
  get instances(): string {
    return `${this.#prefix}instances/`;
  }

  /** The prefix of all keys of a kind, with a trailing slash. */
  all(kind: 'elections' | 'locks' | 'crons' | 'groups'): string {
    return `${this.#prefix}${kind}/`;
  }

  instance(id: string): string {
    return this.instances + id;
  }

  /** The write barrier of a lease. */
  barrier(lease: string): string {
    return `${this.#prefix}leases/${lease}`;
  }

  election(name: string): string {
    return this.all('elections') + name;
  }

  /** The prefix of the queue of a lock, with a trailing slash. */
  lock(name: string): string {
    return `${this.all('locks')}${name}/`;
  }

  /** The prefix of the instances of a service, with a trailing slash. */
  service(name: string): string {
    return `${this.#prefix}services/${name}/`;
  }

  /** The keys of a handler group. The prefixes end with a slash. */
  group(name: string): GroupKeys {
    const prefix = `${this.all('groups')}${name}/`;
    return {
      config: `${prefix}config`,
      owners: `${prefix}owners/`,
      cursors: `${prefix}cursors/`,
      remembered: `${prefix}keys/`,
      parked: `${prefix}parked/`,
    };
  }

  cron(name: string): { readonly owner: string; readonly last: string } {
    const prefix = `${this.all('crons')}${name}/`;
    return { owner: `${prefix}owner`, last: `${prefix}last` };
  }
}

/** The keys of one handler group. */
export interface GroupKeys {
  readonly config: string;
  readonly owners: string;
  readonly cursors: string;
  readonly remembered: string;
  readonly parked: string;
}

/** The end of the keys of a partition: `007`. */
export const partitionName = (partition: number): string => String(partition).padStart(3, '0');

/**
 * Names become parts of keys.
 * @throws InvalidOptionsError
 */
export function checkName(what: string, name: unknown): void {
  if (typeof name === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(name)) return;
  throw new InvalidOptionsError(
    `${what} must be 1 to 128 of the characters A-Z, a-z, 0-9, ".", "_", ":" and "-", not ${described(name)}`,
  );
}
