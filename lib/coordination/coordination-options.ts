import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkInteger, checkMilliseconds } from '../option-checks.js';

/** Options of the work that the instances of an application share: elections, for example. */
export interface CoordinationOptions {
  /**
   * Prefix of all keys of the coordination. Use one for each application and environment. No definition may overlap it.
   * Requires permission to read and write this prefix.
   */
  readonly prefix: string;
  /**
   * Time to live of this instance's lease, in seconds, from 5 to 300: what an instance owns is free again that long
   * after the instance has died. etcd may grant more, which then counts.
   * @default 15
   */
  readonly ttlSeconds?: number;
  /**
   * Milliseconds by which this instance regards its lease as lost earlier than etcd. Less than half of `ttlSeconds`.
   * @default a fifth of the time to live
   */
  readonly marginMs?: number;
  /**
   * Milliseconds that the list of instances must be unchanged before partitions of handler groups move to a newcomer.
   * Those of an instance that has ended move at once.
   * @default 5_000
   */
  readonly settleMs?: number;
}

/** Validated options with all defaults. */
export interface ResolvedCoordination {
  /** Without a trailing slash. */
  readonly prefix: string;
  readonly ttlSeconds: number;
  /** `undefined`: a fifth of the granted time to live. */
  readonly marginMs: number | undefined;
  readonly settleMs: number;
}

/** @throws InvalidOptionsError naming the first invalid option */
export function resolveCoordination(given: unknown): ResolvedCoordination {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionsError(`"coordination" must be an object such as { prefix: '/coordination/my-app' }`);
  }
  const { prefix, ttlSeconds = 15, marginMs, settleMs = 5_000 } = given as Partial<CoordinationOptions>;
  checkInteger('"coordination.ttlSeconds"', ttlSeconds, { min: 5, max: 300 });
  checkMilliseconds('"coordination.marginMs"', marginMs, 0);
  checkMilliseconds('"coordination.settleMs"', settleMs, 0);
  if (marginMs !== undefined && marginMs >= ttlSeconds * 500) {
    throw new InvalidOptionsError(
      `"coordination.marginMs" must be below half of "coordination.ttlSeconds", which is ${ttlSeconds * 500} ms`,
    );
  }
  return { prefix: checkPrefix(prefix), ttlSeconds, marginMs, settleMs };
}

function checkPrefix(given: unknown): string {
  const prefix = typeof given === 'string' ? given.replace(/\/+$/, '') : '';
  if (prefix !== '') return prefix;
  throw new InvalidOptionsError(
    '"coordination.prefix" must be a prefix for the coordination only, such as "/coordination/my-app"',
  );
}

/** For errors of everything that needs the option. The line to add is part of the sentence. */
export const coordinationMissing = (who: string, cluster: string): InvalidOptionsError =>
  new InvalidOptionsError(
    `${who} needs the option "coordination" of the cluster "${cluster}": add coordination: { prefix: '/coordination/my-app' } to the options of EtcdTriggerModule`,
  );
