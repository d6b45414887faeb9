import type { Random } from './random.js';

/** Where the listeners look. Each range has a key that only the laboratory writes. */
export const RANGES = {
  all: '/lab/',
  some: '/lab/a/',
  one: '/lab/one',
  configs: '/lab/config/',
} as const;

export const TOUCH_KEYS = {
  all: '/lab/touch',
  some: '/lab/a/touch',
  one: '/lab/one',
  configs: '/lab/config/touch',
} as const;

/** Configurations that are only ever written together, so that one of them alone is a torn transaction. */
export const SET_KEYS = Array.from({ length: 5 }, (_, index) => `${RANGES.configs}set/${index}`);

export type Step =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'delete'; readonly key: string; readonly prefix?: boolean };

/** One request of a writer: one or more steps in one transaction. Its id is in every value it writes. */
export interface Operation {
  readonly id: string;
  readonly kind: 'put' | 'delete' | 'transaction' | 'large transaction' | 'large value' | 'lease';
  readonly steps: readonly Step[];
  /** The member that is asked. */
  readonly member: number;
}

/** etcd's limit is 1.5 MiB a request and 128 operations a transaction. */
const LARGEST_VALUE = 1024 * 1024;
const LARGEST_TRANSACTION = 128;

/** Draws the next request of a writer. */
export function drawOperation(id: string, random: Random): Operation {
  const member = random.int(0, 2);
  const dice = random.int(1, 100);
  const put = (key: string, length = random.int(0, 60)): Step => putStep(id, key, length);
  if (dice <= 52) return { id, kind: 'put', member, steps: [put(drawKey(random))] };
  if (dice <= 66) return { id, kind: 'delete', member, steps: [drawDelete(random)] };
  if (dice <= 84) return { id, kind: 'transaction', member, steps: drawSteps(random, random.int(2, 9), put) };
  if (dice <= 91) return { id, kind: 'transaction', member, steps: SET_KEYS.map((key) => put(key)) };
  if (dice <= 97) return { id, kind: 'lease', member, steps: [put(`/lab/lease/${random.int(0, 5)}`)] };
  if (dice <= 99) {
    return { id, kind: 'large transaction', member, steps: drawSteps(random, LARGEST_TRANSACTION, put) };
  }
  const length = random.percent(20) ? LARGEST_VALUE : random.int(20_000, 300_000);
  return { id, kind: 'large value', member, steps: [put(`/lab/large/${random.int(0, 2)}`, length)] };
}

/** A transaction as large as etcd takes, in operations and nearly in bytes. */
export function largestTransaction(id: string): Operation {
  const steps = Array.from({ length: LARGEST_TRANSACTION }, (_, index) => putStep(id, `/lab/wide/${index}`, 8_000));
  return { id, kind: 'large transaction', member: 0, steps };
}

/** Writes one key in every range. */
export const touch = (id: string): Operation => ({
  id,
  kind: 'transaction',
  member: 0,
  steps: Object.values(TOUCH_KEYS).map((key) => putStep(id, key, 0)),
});

/** A write is known by its id: the values of configurations are documents, those of other keys begin with it. */
export function putStep(id: string, key: string, length: number): Step {
  const filler = 'x'.repeat(length);
  const isConfig = key.startsWith(RANGES.configs);
  return { type: 'put', key, value: Buffer.from(isConfig ? JSON.stringify({ id, filler }) : `${id} ${filler}`) };
}

/** Whose write a value is, as its fingerprint shows. */
export const writerOf = (value: string): string | undefined => /^(?:\{"id":")?([a-z]+\d*-\d+)/.exec(value)?.[1];

function drawKey(random: Random): string {
  const dice = random.int(1, 10);
  if (dice <= 4) return `${RANGES.some}${random.int(0, 19)}`;
  if (dice <= 5) return `${RANGES.some}schlüssel ${random.int(0, 3)}`;
  if (dice <= 6) return RANGES.one;
  if (dice <= 8) return `${RANGES.configs}${random.int(0, 9)}`;
  if (dice <= 9) return `/lab/b/${random.int(0, 9)}`;
  return `/elsewhere/${random.int(0, 3)}`;
}

function drawDelete(random: Random): Step {
  if (random.percent(15)) return { type: 'delete', key: '/lab/b/', prefix: true };
  return { type: 'delete', key: drawKey(random) };
}

/** A transaction may name a key once only. */
function drawSteps(random: Random, count: number, put: (key: string) => Step): Step[] {
  const steps = new Map<string, Step>();
  for (let index = 0; index < count; index += 1) {
    const key = count > 20 ? `/lab/wide/${random.int(0, 999)}` : drawKey(random);
    steps.set(key, random.percent(20) ? { type: 'delete', key } : put(key));
  }
  return [...steps.values()];
}
