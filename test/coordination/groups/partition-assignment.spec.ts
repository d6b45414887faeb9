import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignPartitions } from '../../../lib/coordination/groups/partition-assignment.js';

const membersOf = (count: number, offset = 0): string[] =>
  Array.from({ length: count }, (_, index) => `member-${index + offset}`);

const sizesOf = (assignment: ReadonlyMap<number, string>, members: readonly string[]): number[] =>
  members.map((member) => [...assignment.values()].filter((owner) => owner === member).length);

/** The lower bound of the moves: what exceeds a share, and what has no owner among the members. */
function leastMoves(partitions: number, members: readonly string[], owners: ReadonlyMap<number, string>): number {
  const share = Math.floor(partitions / members.length);
  let larger = partitions % members.length;
  const sizes = sizesOf(owners, members).sort((a, b) => b - a);
  const kept = sizes.map((size) => {
    const quota = larger > 0 ? share + 1 : share;
    larger -= 1;
    return Math.min(size, quota);
  });
  return partitions - kept.reduce((sum, each) => sum + each, 0);
}

describe('the assignment of partitions', () => {
  it('gives every partition to a member, in shares that differ by at most one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 42 }), fc.integer({ min: 1, max: 50 }), (partitions, count) => {
        const members = membersOf(count);
        const assignment = assignPartitions({ group: 'g', partitions, members, owners: new Map() });
        const sizes = sizesOf(assignment, members);
        expect(assignment.size).toBe(partitions);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is empty without members', () => {
    expect(assignPartitions({ group: 'g', partitions: 4, members: [], owners: new Map() }).size).toBe(0);
  });

  it('moves the least possible number of partitions, whoever joins and leaves', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 42 }),
        fc.array(fc.record({ joins: fc.integer({ min: 0, max: 10 }), leaves: fc.integer({ min: 0, max: 10 }) }), {
          minLength: 1,
          maxLength: 8,
        }),
        (partitions, steps) => {
          let members = membersOf(1);
          let count = 1;
          let owners = assignPartitions({ group: 'g', partitions, members, owners: new Map() });
          for (const { joins, leaves } of steps) {
            members = [...members.slice(leaves), ...membersOf(joins, count)];
            count += joins;
            if (members.length === 0) members = membersOf(1, count++);
            const next = assignPartitions({ group: 'g', partitions, members, owners });
            const moved = [...next].filter(([partition, member]) => owners.get(partition) !== member).length;
            expect(moved).toBe(leastMoves(partitions, members, owners));
            owners = next;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('stays the same while partitions move one after the other, in any order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 42 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 10 }),
        fc.infiniteStream(fc.nat()),
        (partitions, before, joins, picks) => {
          const owners = assignPartitions({ group: 'g', partitions, members: membersOf(before), owners: new Map() });
          const members = membersOf(before + joins);
          const wanted = assignPartitions({ group: 'g', partitions, members, owners });
          const moves = [...wanted].filter(([partition, member]) => owners.get(partition) !== member);
          const present = new Map(owners);
          while (moves.length > 0) {
            const [[partition, member] = [0, '']] = moves.splice(Number(picks.next().value) % moves.length, 1);
            present.delete(partition);
            const between = assignPartitions({ group: 'g', partitions, members, owners: present });
            expect(sizesOf(between, members).sort()).toEqual(sizesOf(wanted, members).sort());
            present.set(partition, between.get(partition) === member ? member : (between.get(partition) ?? ''));
          }
          const sizes = sizesOf(present, members);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('does not depend on the order of the members', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(membersOf(8), { minLength: 1 }), (members) => {
        const input = { group: 'g', partitions: 32, owners: new Map([[3, 'member-1']]) };
        const sorted = [...members].sort();
        const entries = (map: Map<number, string>) => [...map].sort(([a], [b]) => a - b);
        expect(entries(assignPartitions({ ...input, members }))).toEqual(
          entries(assignPartitions({ ...input, members: sorted })),
        );
      }),
    );
  });
});
