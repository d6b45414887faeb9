import type { Random } from './random.js';

/** Ranges that the listeners watch. Each has a key that only the laboratory writes. */
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

/** Configurations that are always written in one transaction. A state with different ids among them is torn. */
export const SET_KEYS = Array.from({ length: 5 }, (_, index) => `${RANGES.configs}set/${index}`);

export type Step =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'delete'; readonly key: string; readonly prefix?: boolean };

/** A write request: one or more steps in one transaction. Every value that it writes contains its id. */
export interface Operation {
  readonly id: string;
  readonly kind: 'put' | 'delete' | 'transaction' | 'large transaction' | 'large value' | 'lease';
  readonly steps: readonly Step[];
  /** Index of the member that receives the request. */
  readonly member: number;
}

/** etcd's limits are 1.5 MiB per request and 128 operations per transaction. */
const MAX_VALUE_BYTES = 1024 * 1024;
const MAX_OPERATIONS = 128;

/** Draws a random request. */
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
    return { id, kind: 'large transaction', member, steps: drawSteps(random, MAX_OPERATIONS, put) };
  }
  const length = random.percent(20) ? MAX_VALUE_BYTES : random.int(20_000, 300_000);
  return { id, kind: 'large value', member, steps: [put(`/lab/large/${random.int(0, 2)}`, length)] };
}

/** Returns a transaction with the maximum number of operations and nearly the maximum size. */
export function largestTransaction(id: string): Operation {
  const steps = Array.from({ length: MAX_OPERATIONS }, (_, index) => putStep(id, `/lab/wide/${index}`, 8_000));
  return { id, kind: 'large transaction', member: 0, steps };
}

/** Writes one key in every range. */
export const touch = (id: string): Operation => ({
  id,
  kind: 'transaction',
  member: 0,
  steps: Object.values(TOUCH_KEYS).map((key) => putStep(id, key, 0)),
});

/** Returns a put whose value contains the write's id: as a JSON property for configurations, else as a prefix. */
export function putStep(id: string, key: string, length: number): Step {
  const filler = 'x'.repeat(length);
  const isConfig = key.startsWith(RANGES.configs);
  return { type: 'put', key, value: Buffer.from(isConfig ? JSON.stringify({ id, filler }) : `${id} ${filler}`) };
}

/** Returns the id of the write from a value's fingerprint. */
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

/** Draws steps with distinct keys, because a transaction may contain a key only once. */
function drawSteps(random: Random, count: number, put: (key: string) => Step): Step[] {
  const steps = new Map<string, Step>();
  for (let index = 0; index < count; index += 1) {
    const key = count > 20 ? `/lab/wide/${random.int(0, 999)}` : drawKey(random);
    steps.set(key, random.percent(20) ? { type: 'delete', key } : put(key));
  }
  return [...steps.values()];
}
