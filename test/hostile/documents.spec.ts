import { inspect, isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';
import { BOMBS } from './bombs.js';
import type { Door } from './doors/door.js';
import { HISTORY } from './doors/history.js';
import { INITIAL_LIST } from './doors/initial.js';
import { LIVE_EVENTS } from './doors/live.js';
import { STORE_PUT } from './doors/put.js';
import { OFFLINE_SNAPSHOT } from './doors/snapshot.js';
import { GOOD, type HostileDocument, keyed, type KeyedDocument, type Verdict } from './hostile-document.js';
import { JSON_DOCUMENTS } from './json-documents.js';
import { LoopGap } from './loop-gap.js';
import { YAML_DOCUMENTS } from './yaml-documents.js';

const DOORS: readonly Door[] = [INITIAL_LIST, LIVE_EVENTS, STORE_PUT, OFFLINE_SNAPSHOT, HISTORY];

/** The documented budget of one document is about a second on current hardware. */
const MAX_GAP_MS = 5_000;

describe.each(DOORS)('documents through $name', (door) => {
  const etcd = ownEtcd({ args: ['--max-request-bytes=16777216'] });

  /** Brings the documents in, and compares the verdicts, the blocked time, and the good values after them. */
  const check = async (documents: readonly HostileDocument[]): Promise<void> => {
    const taken = keyed(documents).filter((document) => door.takes(document));
    if (taken.length === 0) return;
    const gap = new LoopGap();
    await using entered = await door.enter(etcd, taken);
    const verdicts = taken.map((document) => entered.verdictOf(document));
    const healed = await entered.heal();
    const longest = gap.stop();
    expect(taken.flatMap((document, index) => differencesOf(document, verdicts[index]))).toEqual([]);
    expect(longest).toBeLessThan(MAX_GAP_MS);
    expect(healed).toEqual(taken.map(() => GOOD));
  };

  it('get a verdict each, and the next good value is shown', async () => {
    await check([...JSON_DOCUMENTS, ...YAML_DOCUMENTS]);
  });

  it.each(BOMBS)('block the event loop for no longer than the budget: %s', async (_, bombs) => {
    await check(bombs);
  });
});

/** Describes a verdict that is not the right one; the value of a large document is not compared. */
function differencesOf({ key, name, verdict: expected, bytes }: KeyedDocument, verdict: Verdict | undefined): string[] {
  const shown = (of: Verdict | undefined): string =>
    of === undefined
      ? 'rejected'
      : 'rejected' in of
        ? of.rejected
        : bytes.length > 10_000
          ? 'valid'
          : inspect(of.value);
  if ('rejected' in expected && verdict === undefined) return [];
  if ('value' in expected && verdict && 'value' in verdict) {
    if (bytes.length > 10_000 || isDeepStrictEqual(plain(verdict.value), expected.value)) return [];
  } else if (isDeepStrictEqual(verdict, expected)) return [];
  return [`${key} ${name.slice(0, 80)}: ${shown(verdict)} instead of ${shown(expected)}`];
}

/** The properties that have a value. */
const plain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined))
    : value;
