import type { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { isRemoval, type KeyChange, type KeyRecord } from '../../../lib/backend/key-record.js';

const EFFECTS = '/effects/';
const SECOND = `/second${EFFECTS}`;
const GROUPS = '/co/v1/groups/';

/** Returns what is wrong with the effects, the parked events and the cursors after everything was handled. */
export function violationsIn(fake: FakeCluster, written: readonly string[]): readonly string[] {
  return [...historyViolations(fake, written), ...stateViolations(fake, written)];
}

/** Looks at each revision: whose owner has written an effect, and how often an event was parked. */
function historyViolations(fake: FakeCluster, written: readonly string[]): string[] {
  const violations: string[] = [];
  const tokens = new Map<string, number>();
  const parked = new Map<string, number>();
  for (const { changes } of fake.snapshot().history) {
    const puts = changes.filter((change): change is KeyRecord => !isRemoval(change));
    for (const { rawKey, value } of puts.filter(({ rawKey }) => isEffect(rawKey))) {
      const { token } = JSON.parse(value.toString()) as { readonly token: number };
      const group = groupOf(rawKey);
      const isOwner = [...tokens].some(
        ([key, owner]) => key.startsWith(`${GROUPS}${group}/owners/`) && owner === token,
      );
      if (!isOwner) violations.push(`${rawKey} was written by a past owner (${token})`);
      if (group === 'billing' && !puts.some(isCursorOf(group)))
        violations.push(`${rawKey} was written without a cursor`);
    }
    for (const { rawKey, value, version } of puts) {
      if (!rawKey.includes('/parked/') || version > 1) continue;
      const { key } = JSON.parse(value.toString()) as { readonly key: string };
      parked.set(key, (parked.get(key) ?? 0) + 1);
    }
    follow(tokens, changes);
  }
  for (const event of written.filter((each) => each.includes('poison'))) {
    const count = parked.get(`/${event.split('=')[0] ?? ''}`) ?? 0;
    if (count !== 1) violations.push(`${event} was parked ${count} times`);
  }
  return violations;
}

/** Looks at the state that is left. */
function stateViolations(fake: FakeCluster, written: readonly string[]): string[] {
  const violations: string[] = [];
  for (const event of written) {
    const [first, second] = [fake.get(EFFECTS + event), fake.get(SECOND + event)];
    if (!first) violations.push(`${event} has no effect`);
    if (!event.startsWith('billing/')) continue;
    if (first?.version !== 1 || second?.version !== 1 || first.revision !== second.revision) {
      violations.push(`${event} has the effects ${first?.version ?? 0} and ${second?.version ?? 0}`);
    }
  }
  const others = fake.keys(EFFECTS).filter((key) => !written.includes(key.slice(EFFECTS.length)));
  violations.push(...others.map((key) => `${key} is the effect of nothing`));
  for (const key of fake.keys(GROUPS)) {
    if (key.includes('/owners/') || key.includes('/parked/')) violations.push(`${key} is left`);
    if (!key.includes('/cursors/')) continue;
    const { released, done } = fake.json(key) as { readonly released?: boolean; readonly done: readonly string[] };
    if (released !== true || done.length > 0) violations.push(`${key} is ${fake.text(key) ?? ''}`);
  }
  return violations;
}

const isEffect = (key: string): boolean => key.startsWith(EFFECTS) || key.startsWith(SECOND);

/** `/effects/billing/a=1` is of the group `billing`. */
const groupOf = (key: string): string => key.slice(key.indexOf(EFFECTS) + EFFECTS.length).split('/')[0] ?? '';

const isCursorOf =
  (group: string) =>
  ({ rawKey }: KeyRecord): boolean =>
    rawKey.startsWith(`${GROUPS}${group}/cursors/`);

/** Keeps the present tokens of all partitions. */
function follow(tokens: Map<string, number>, changes: readonly KeyChange[]): void {
  for (const change of changes) {
    if (!change.rawKey.includes('/owners/')) continue;
    if (isRemoval(change)) tokens.delete(change.rawKey);
    else tokens.set(change.rawKey, change.createRevision);
  }
}
