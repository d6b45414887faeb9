import fc from 'fast-check';
import { ConnectionTimeoutError, UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import type { ClusterBackend } from '../../../lib/backend/cluster-backend.js';
import type { KeyValueStore, Operation, Transaction, TransactionResult } from '../../../lib/backend/key-value-store.js';
import { LeaseNotFoundError } from '../../../lib/backend/lease-store.js';
import { CasOutcomeResolver } from '../../../lib/store/writing/cas-outcome.resolver.js';
import { MarkerLease } from '../../../lib/store/writing/marker-lease.js';
import { MarkerOutcomeResolver } from '../../../lib/store/writing/marker-outcome.resolver.js';
import { openBackend } from '../../testing/contract/open-backend.js';
import { type Fate, UnreliableKeyValue } from './unreliable-key-value.js';

const OPTIONS = { limitMs: 5_000, signal: new AbortController().signal, backoff: () => 0 };
const KEYS = ['a', 'b'];
const INITIAL = { a: 'value 0', b: 'value 0' };

const fates = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Fate>('answered') },
    { weight: 3, arbitrary: fc.constant<Fate>('lost before it arrives') },
    { weight: 3, arbitrary: fc.constant<Fate>('lost after it was applied') },
    { weight: 3, arbitrary: fc.record({ delayed: fc.integer({ min: 1, max: 8 }) }) },
  ),
  { maxLength: 6 },
);
const operation: fc.Arbitrary<Operation> = fc
  .record({ rawKey: fc.constantFrom(...KEYS), value: fc.nat(2), puts: fc.boolean() })
  .map(({ rawKey, value, puts }) => (puts ? put(rawKey, `value ${value}`) : { type: 'delete', rawKey }));
const operations = fc.uniqueArray(operation, { selector: ({ rawKey }) => rawKey, minLength: 1 });
/** Writes of other clients before each request; mostly none. */
const otherWrites = fc.array(fc.option(operation, { freq: 2 }), { maxLength: 12 });
/** Condition of each written key: its current revision, its absence, or none. */
const demands = fc.array(fc.constantFrom('current', 'absent', 'none'), { minLength: 2, maxLength: 2 });

const put = (rawKey: string, value: string): Operation => ({ type: 'put', rawKey, value: Buffer.from(value) });

type Outcome = TransactionResult | 'unknown' | 'never applied';

describe('the outcome of a write, when requests are lost and other clients write,', () => {
  it.each([
    ['with markers', withMarkers],
    ['without markers', (link: UnreliableKeyValue) => new CasOutcomeResolver(link, OPTIONS)],
  ])('is true and stays true when delayed requests arrive, %s', async (_, resolverOf) => {
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fates, operations, otherWrites, demands, async (fate, written, others, demanded) => {
        const fake = new FakeCluster(INITIAL);
        using backend = openBackend(fake);
        const waiting = [...others];
        const link = new UnreliableKeyValue(backend.keyValue, fate, () => {
          const next = waiting.shift();
          if (next) writeAsOther(fake, next);
        });
        const transaction = demanding(fake, written, demanded);

        const outcome = await outcomeOf(resolverOf(link, backend), transaction);
        await link.applyAllDelayed();

        outcomes.add(typeof outcome === 'string' ? outcome : outcome.applied ? 'applied' : 'conflict');
        expect(link.applied.length).toBeLessThanOrEqual(1);
        if (outcome === 'unknown') return;
        const revisions = link.applied.map(({ revision }) => revision);
        expect(revisions).toEqual(outcome !== 'never applied' && outcome.applied ? [outcome.revision] : []);
      }),
      { numRuns: 1_000 },
    );
    expect(outcomes).toContain('applied');
    expect(outcomes).toContain('conflict');
  });

  it('is always known with markers if etcd answers in the end and the lease of the markers exists', async () => {
    await fc.assert(
      fc.asyncProperty(fates, operations, demands, async (fate, written, demanded) => {
        const fake = new FakeCluster(INITIAL);
        using backend = openBackend(fake);
        const link = new UnreliableKeyValue(backend.keyValue, fate);

        const outcome = await outcomeOf(withMarkers(link, backend), demanding(fake, written, demanded));
        expect(outcome).not.toBe('unknown');
      }),
      { numRuns: 300 },
    );
  });

  it('is unknown with markers if their lease expires before the outcome is resolved', async () => {
    const fake = new FakeCluster();
    using backend = openBackend(fake);
    const lease = new MarkerLease(backend.leases);
    const leaseId = await lease.current();
    let requests = 0;
    const link = new UnreliableKeyValue(backend.keyValue, ['lost after it was applied'], () => {
      requests += 1;
      if (requests === 2) fake.revokeLease(leaseId);
    });
    const resolver = new MarkerOutcomeResolver(link, lease, { prefix: 'm/', ...OPTIONS });
    const outcome = await outcomeOf(resolver, { what: 'put', operations: [put('a', 'x')] });

    expect(outcome).toBe('unknown');
    expect(fake.text('a')).toBe('x');
  });

  it('contains the deleted keys even if the answer was lost', async () => {
    using backend = openBackend(new FakeCluster({ a: 'x' }));
    const link = new UnreliableKeyValue(backend.keyValue, ['lost after it was applied']);
    const operations = KEYS.map((rawKey) => ({ type: 'delete', rawKey }) as const);
    const outcome = await outcomeOf(withMarkers(link, backend), { what: 'delete', operations });

    expect(outcome).toMatchObject({ deleted: ['a'] });
  });

  it('is always known without markers for a compare-and-swap with a record of its own, while etcd answers', async () => {
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fates, operations, otherWrites, fc.boolean(), async (fate, written, others, expires) => {
        const fake = new FakeCluster(INITIAL);
        using backend = openBackend(fake);
        const lease = fake.grantLease(5);
        const waiting = [...others];
        let requests = 0;
        const link = new UnreliableKeyValue(backend.keyValue, fate, () => {
          const next = waiting.shift();
          if (next) writeAsOther(fake, next);
          requests += 1;
          if (expires && requests === 2) fake.revokeLease(lease);
        });
        const swap = demanding(fake, written, ['current', 'current']);
        const record: Operation = { type: 'put', rawKey: 'audit/1', value: Buffer.from('record'), lease };
        const transaction = { ...swap, operations: [...swap.operations, record] };

        const outcome = await outcomeOf(new CasOutcomeResolver(link, OPTIONS), transaction);
        await link.applyAllDelayed();

        outcomes.add(typeof outcome === 'string' ? outcome : outcome.applied ? 'applied' : 'conflict');
        const revisions = link.applied.map(({ revision }) => revision);
        const isApplied = typeof outcome !== 'string' && outcome.applied;
        expect(revisions).toEqual(isApplied ? [outcome.revision] : []);
        if (!isApplied) return;
        const before = new Set(written.filter(({ type }) => type === 'delete').map(({ rawKey }) => rawKey));
        expect(new Set(outcome.deleted)).toEqual(before);
      }),
      { numRuns: 500 },
    );
    expect([...outcomes].sort()).toEqual(['applied', 'conflict', 'never applied']);
  });

  it('is proven without markers by a lease that only this write uses', async () => {
    const fake = new FakeCluster({ a: 'x' });
    using backend = openBackend(fake);
    const link = new UnreliableKeyValue(backend.keyValue, ['lost after it was applied']);
    const outcome = await outcomeOf(new CasOutcomeResolver(link, OPTIONS), {
      what: 'put',
      conditions: [{ rawKey: 'a', revision: 2 }],
      operations: [{ type: 'put', rawKey: 'a', value: Buffer.from('x'), lease: fake.grantLease(5) }],
    });

    expect(outcome).toEqual({ applied: true, revision: 3, deleted: [] });
  });
});

function withMarkers(link: UnreliableKeyValue, { leases }: Pick<ClusterBackend, 'leases'>): MarkerOutcomeResolver {
  return new MarkerOutcomeResolver(link, new MarkerLease(leases), { prefix: 'm/', ...OPTIONS });
}

function writeAsOther(fake: FakeCluster, operation: Operation): void {
  if (operation.type === 'put') fake.put(operation.rawKey, operation.value);
  else fake.delete(operation.rawKey);
}

function demanding(fake: FakeCluster, operations: readonly Operation[], demands: readonly string[]): Transaction {
  const conditions = operations.flatMap(({ rawKey }, index) => {
    const demand = demands[index];
    return demand === 'none'
      ? []
      : [{ rawKey, revision: demand === 'current' ? (fake.get(rawKey)?.revision ?? 0) : 0 }];
  });
  return { what: 'write', conditions, operations };
}

async function outcomeOf(keyValue: KeyValueStore, transaction: Transaction): Promise<Outcome> {
  try {
    return await keyValue.commit(transaction);
  } catch (error) {
    if (error instanceof UnknownOutcomeError) return 'unknown';
    if (error instanceof ConnectionTimeoutError || error instanceof LeaseNotFoundError) return 'never applied';
    throw error;
  }
}
