import { KeyRange } from '../backend/key-range.js';

/** Returns the name of a range in metrics. */
export type TargetNames = (range: KeyRange) => string;

/**
 * The ranges of the coordination share the name of its prefix: each wait for a lock has a range of its own, and a metric
 * keeps the names that it was given for as long as the process lives.
 * @param coordination `coordination.prefix`; `undefined` without the option
 */
export function targetNamesOf(coordination: string | undefined): TargetNames {
  if (coordination === undefined) return String;
  const shared = KeyRange.of({ prefix: `${coordination}/` });
  const name = shared.toString();
  return (range) => (range.rawKey.startsWith(shared.rawKey) ? name : range.toString());
}
