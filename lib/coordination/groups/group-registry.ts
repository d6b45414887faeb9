import { quoted } from '../../foreign/foreign-text.js';
import { checkInteger, checkKnown, checkOneOf } from '../../option-checks.js';
import { checkName } from '../coordination-keys.js';
import { coordinationMissing } from '../coordination-options.js';
import { describeGroup, type GroupDescription } from './group-description.js';
import { MAX_PARTITIONS } from './group-options.js';
import type { GroupMember } from './group-member.js';
import type { HandlerGroups } from './handler-groups.js';
import { type ParkedEvent, parkedEventOf } from './parked-event.js';

/** The handler groups of one cluster. Requires the option `coordination`. */
export class GroupRegistry {
  readonly #groups: HandlerGroups | undefined;
  readonly #cluster: string;

  /** @internal */
  constructor(groups: HandlerGroups | undefined, cluster: string) {
    this.#groups = groups;
    this.#cluster = cluster;
  }

  /** Returns the groups that this instance takes part in. */
  list(): readonly GroupDescription[] {
    return this.#all.all.map(describeGroup);
  }

  /**
   * Reads the parked events of a group from etcd, in the order of their revisions.
   * @throws InvalidOptionsError if etcd has no such group, and this instance takes no part in it
   */
  async parked(name: string): Promise<ParkedEvent[]> {
    await this.#check('read the parked events', name);
    return (await this.#all.administration.parked(name)).map(({ record }) => parkedEventOf(record));
  }

  /**
   * Lets the owners of the partitions call the handler once more with each parked event, `redelivered` being true. An
   * event that is handled is not parked any more. Later events of the key may have been handled before.
   * @returns the number of events
   * @throws InvalidOptionsError if etcd has no such group, and this instance takes no part in it
   */
  async redrive(name: string): Promise<number> {
    await this.#check('redrive the parked events', name);
    return this.#all.administration.redrive(name);
  }

  /**
   * Changes the number of partitions, which no instance may own: stop those with the former number first. No event is
   * lost or repeated by that.
   *
   * @throws GroupBusyError if an instance owns a partition, a list is not handled yet, or so many events are handled
   * after an unfinished one that the cursors would not fit into a transaction
   * @throws InvalidOptionsError if etcd has no such group
   */
  async repartition(name: string, partitions: number): Promise<void> {
    checkName('the name of a group', name);
    checkInteger(`repartition(${name}): the number of partitions`, partitions, { min: 1, max: MAX_PARTITIONS });
    await this.#all.administration.repartition(name, partitions);
  }

  /**
   * Lets a group begin again, as if it were new. Its present owners lose their partitions. If this instance has the
   * handler, the target and the number of partitions become those of its options.
   * @throws InvalidOptionsError if etcd has no such group
   */
  async reset(name: string, options: { readonly from: 'existing' | 'now' }): Promise<void> {
    checkName('the name of a group', name);
    checkKnown(options, { from: true }, { owner: ` of reset(${name})` });
    checkOneOf('"from"', options.from, ['existing', 'now']);
    await this.#all.administration.reset(name, options.from, this.#own(name)?.config);
  }

  async #check(what: string, name: string): Promise<void> {
    checkName('the name of a group', name);
    // etcd stores the group when its first instance has started.
    if (this.#own(name)) return;
    await this.#all.administration.checkExists(`${what} of the group ${quoted(name)}`, name);
  }

  #own(name: string): GroupMember | undefined {
    return this.#all.all.find((member) => member.name === name);
  }

  get #all(): HandlerGroups {
    if (this.#groups) return this.#groups;
    throw coordinationMissing('GroupRegistry', this.#cluster);
  }
}
