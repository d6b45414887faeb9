import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import { KeyPattern } from './key-pattern.js';

/** The target of a decorator: what is watched for it, and which of the keys there are meant. */
export interface HandlerTarget {
  /** As the decorator says it. */
  readonly source: WatchTarget;
  readonly range: KeyRange;
  /** `undefined`: every key of the range. */
  readonly pattern: KeyPattern | undefined;
  /** Equal for equal targets. */
  readonly identity: string;
}

/** @throws InvalidOptionsError for what is no target, and for a pattern that cannot work */
export function handlerTargetOf(source: WatchTarget): HandlerTarget {
  const read = typeof source === 'string' ? KeyPattern.of(source) : source;
  if (read instanceof KeyPattern) {
    return { source, range: KeyRange.of(read.prefix), pattern: read, identity: `pattern:${read.source}` };
  }
  const range = KeyRange.of(read);
  return { source, range, pattern: undefined, identity: range.identity };
}

/** As a sentence calls it: `prefix "/app/"`, `pattern "/tenants/:tenant/limits"`. */
export const describeHandlerTarget = ({ range, pattern }: HandlerTarget): string =>
  pattern ? `pattern "${pattern.source}"` : range.toString();
