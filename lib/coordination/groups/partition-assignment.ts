import { weightOf } from '../rendezvous.js';

/** The members of a group and the present owners of its partitions, as one instance has seen them. */
export interface AssignmentInput {
  readonly group: string;
  readonly partitions: number;
  /** Ids of the instances that take part. */
  readonly members: readonly string[];
  /** Id of the owner by partition. May name instances that are no members any more. */
  readonly owners: ReadonlyMap<number, string>;
}

/**
 * Bounded rendezvous hashing: assigns each partition to a member. An owner keeps as many of its partitions as its share
 * allows, so as few as possible move; the others go to the member with the highest weight that has a share left. Every
 * instance with the same input computes the same result. Nothing but spread depends on it.
 *
 * @returns the id of the member by partition; empty without members
 */
export function assignPartitions({ group, partitions, members, owners }: AssignmentInput): Map<number, string> {
  const assignment = new Map<number, string>();
  if (members.length === 0) return assignment;
  const weight = (partition: number, member: string): number => weightOf(`${group}/${partition}`, member);
  const owned = new Map(members.map((member): [string, number[]] => [member, []]));
  for (const [partition, owner] of owners) if (partition < partitions) owned.get(owner)?.push(partition);
  const left = sharesOf(group, partitions, owned);

  for (const [member, own] of owned) {
    const byWeight = own.sort((a, b) => weight(b, member) - weight(a, member) || a - b);
    for (const partition of byWeight.slice(0, left.get(member))) assignment.set(partition, member);
    left.set(member, Math.max(0, (left.get(member) ?? 0) - own.length));
  }
  for (let partition = 0; partition < partitions; partition += 1) {
    if (assignment.has(partition)) continue;
    const candidates = members.filter((member) => (left.get(member) ?? 0) > 0);
    const [best] = candidates.sort((a, b) => weight(partition, b) - weight(partition, a) || (a < b ? -1 : 1));
    if (best === undefined) continue;
    assignment.set(partition, best);
    left.set(best, (left.get(best) ?? 0) - 1);
  }
  return assignment;
}

/** The shares differ by at most one. Those that own more get the larger ones. */
function sharesOf(
  group: string,
  partitions: number,
  owned: ReadonlyMap<string, readonly number[]>,
): Map<string, number> {
  const share = Math.floor(partitions / owned.size);
  const larger = partitions % owned.size;
  const byOwned = [...owned].sort(
    ([a, own], [b, others]) =>
      others.length - own.length || weightOf(group, b) - weightOf(group, a) || (a < b ? -1 : 1),
  );
  return new Map(byOwned.map(([member], rank) => [member, rank < larger ? share + 1 : share]));
}

/** Position of a member among those that may claim a partition, from 0, in the order of their weights. */
export function claimRank(group: string, partition: number, members: readonly string[], id: string): number {
  const own = weightOf(`${group}/${partition}`, id);
  return members.filter((member) => member !== id && weightOf(`${group}/${partition}`, member) > own).length;
}
