import { type BootProblem, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { DecoratedMethod } from './decorated-method.js';

/** Connects the decorated methods of one cluster with what calls them. */
export interface MethodRegistrar {
  /** Checks the methods, and changes nothing. */
  plan(methods: readonly DecoratedMethod[]): MethodsPlan;
}

export interface MethodsPlan {
  /** The methods that can never run. */
  readonly problems: readonly BootProblem[];
  /** Connects the methods. Must not be called if any registrar has found a problem. */
  apply(): void;
}

/** `subject` is what two methods use, such as `the group "billing"`. */
export const usedTwice = (subject: string, method: string, other: string): string =>
  method === other
    ? `${subject} is already used by another ${other}: provide the class in one module only, or use another name`
    : `${subject} is already used by ${other}: use another name`;

export const methodProblem = (cluster: string, name: string, fault: string): BootProblem => ({
  cluster,
  subject: name,
  reason: 'failed',
  message: `${name}: ${fault}`,
});

/** Returns the faults that a check finds, an `InvalidOptionsError` among them. */
export function faultsIn(check: () => readonly string[]): readonly string[] {
  try {
    return check();
  } catch (error) {
    if (error instanceof InvalidOptionsError) return [error.message];
    throw error;
  }
}
