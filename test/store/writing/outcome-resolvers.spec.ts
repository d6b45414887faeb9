import fc from 'fast-check';
import { ConnectionTimeoutError, UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CasOutcomeResolver } from '../../../lib/store/writing/cas-outcome.resolver.js';
import type { KeyValueStore, Operation, Transaction, TransactionResult } from '../../../lib/backend/key-value-store.js';
import { MarkerOutcomeResolver } from '../../../lib/store/writing/marker-outcome.resolver.js';
import { MarkerLease } from '../../../lib/store/writing/marker-lease.js';
import { type Fate, SimulatedEtcd, SimulatedLink } from '../../support/simulated-etcd.js';

const TERMS = { limitMs: 200, signal: new AbortController().signal, backoff: () => 0 };
const KEYS = ['a', 'b'];

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
/** What others do before each request: mostly nothing. */
const others = fc.array(fc.option(operation, { freq: 2 }), { maxLength: 12 });
/** Of each key written: demand what it holds, demand its absence, or demand nothing. */
const demands = fc.array(fc.constantFrom('held', 'absent', 'nothing'), { minLength: 2, maxLength: 2 });

const put = (rawKey: string, value: string): Operation => ({ type: 'put', rawKey, value: Buffer.from(value) });

type Outcome = TransactionResult | 'unknown' | 'never applied';

describe('what is claimed of a write, whatever becomes of its requests and whoever writes in between,', () => {
  it.each([
    ['with markers', marked],
    ['without', (link: SimulatedLink) => new CasOutcomeResolver(link, TERMS)],
  ])('is true and stays true when late requests arrive, %s', async (_, settling) => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fates, operations, others, demands, async (fate, written, between, demanded) => {
        const etcd = new SimulatedEtcd();
        etcd.apply({ what: 'begin', operations: KEYS.map((rawKey) => put(rawKey, 'value 0')) });
        const waiting = [...between];
        const link = new SimulatedLink(etcd, fate, () => {
          const next = waiting.shift();
          if (next) etcd.apply({ what: 'other', operations: [next] });
        });
        const transaction = demanding(etcd, written, demanded);

        const outcome = await outcomeOf(settling(link, etcd), transaction);
        link.deliverAll();

        seen.add(typeof outcome === 'string' ? outcome : outcome.applied ? 'applied' : 'conflict');
        expect(link.applied.length).toBeLessThanOrEqual(1);
        if (outcome === 'unknown') return;
        const revisions = link.applied.map(({ revision }) => revision);
        expect(revisions).toEqual(outcome !== 'never applied' && outcome.applied ? [outcome.revision] : []);
      }),
      { numRuns: 1_000 },
    );
    expect(seen).toContain('applied');
    expect(seen).toContain('conflict');
  });

  it('leaves nothing unknown with markers, as long as etcd answers in the end and their lease lives', async () => {
    await fc.assert(
      fc.asyncProperty(fates, operations, demands, async (fate, written, demanded) => {
        const etcd = new SimulatedEtcd();
        etcd.apply({ what: 'begin', operations: KEYS.map((rawKey) => put(rawKey, 'value 0')) });
        const link = new SimulatedLink(etcd, fate, () => undefined);

        expect(await outcomeOf(marked(link, etcd), demanding(etcd, written, demanded))).not.toBe('unknown');
      }),
      { numRuns: 300 },
    );
  });

  it('is unknown with markers when their lease has ended before the answer is settled', async () => {
    const etcd = new SimulatedEtcd();
    let requests = 0;
    const link = new SimulatedLink(etcd, ['lost after it was applied'], () => {
      requests += 1;
      if (requests === 2) etcd.expireLeases();
    });
    const outcome = await outcomeOf(marked(link, etcd), { what: 'put', operations: [put('a', 'x')] });

    expect(outcome).toBe('unknown');
    expect(etcd.read('a')?.value.toString()).toBe('x');
  });

  it('says which deletes removed something, also where the answer was lost', async () => {
    const etcd = new SimulatedEtcd();
    etcd.apply({ what: 'begin', operations: [put('a', 'x')] });
    const link = new SimulatedLink(etcd, ['lost after it was applied'], () => undefined);
    const operations = KEYS.map((rawKey) => ({ type: 'delete', rawKey }) as const);

    expect(await outcomeOf(marked(link, etcd), { what: 'delete', operations })).toMatchObject({ deleted: ['a'] });
  });

  it('is that a put under a lease of its own was applied, where only the lease can tell', async () => {
    const etcd = new SimulatedEtcd();
    etcd.apply({ what: 'begin', operations: [put('a', 'x')] });
    const { id: lease } = await etcd.grant(5);
    const link = new SimulatedLink(etcd, ['lost after it was applied'], () => undefined);
    const outcome = await outcomeOf(new CasOutcomeResolver(link, TERMS), {
      what: 'put',
      conditions: [{ rawKey: 'a', revision: 2 }],
      operations: [{ type: 'put', rawKey: 'a', value: Buffer.from('x'), lease }],
    });

    expect(outcome).toEqual({ applied: true, revision: 3, deleted: [] });
  });
});

function marked(link: SimulatedLink, etcd: SimulatedEtcd): MarkerOutcomeResolver {
  return new MarkerOutcomeResolver(link, new MarkerLease(etcd), { prefix: 'm/', ...TERMS });
}

function demanding(etcd: SimulatedEtcd, operations: readonly Operation[], demands: readonly string[]): Transaction {
  const conditions = operations.flatMap(({ rawKey }, index) => {
    const demand = demands[index];
    return demand === 'nothing'
      ? []
      : [{ rawKey, revision: demand === 'held' ? (etcd.read(rawKey)?.revision ?? 0) : 0 }];
  });
  return { what: 'write', conditions, operations };
}

async function outcomeOf(keyValue: KeyValueStore, transaction: Transaction): Promise<Outcome> {
  try {
    return await keyValue.commit(transaction);
  } catch (error) {
    if (error instanceof UnknownOutcomeError) return 'unknown';
    if (error instanceof ConnectionTimeoutError) return 'never applied';
    throw error;
  }
}
