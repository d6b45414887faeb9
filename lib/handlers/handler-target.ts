import { KeyRange, type WatchTarget } from '../backend/key-range.js';
import { KeyPattern } from './key-pattern.js';
import { quoted } from '../foreign/foreign-text.js';

/** The target of a decorator: the range to watch, and the pattern that selects keys within it. */
export interface HandlerTarget {
  /** The argument of the decorator, unchanged. */
  readonly source: WatchTarget;
  readonly range: KeyRange;
  /** `undefined`: every key of the range matches. */
  readonly pattern: KeyPattern | undefined;
  /** Equal for equal targets. */
  readonly identity: string;
}

/** @throws InvalidOptionsError for an invalid target or pattern */
export function handlerTargetOf(source: WatchTarget): HandlerTarget {
  const parsed = typeof source === 'string' ? KeyPattern.of(source) : source;
  if (parsed instanceof KeyPattern) {
    return { source, range: KeyRange.of(parsed.prefix), pattern: parsed, identity: `pattern:${parsed.source}` };
  }
  const range = KeyRange.of(parsed);
  return { source, range, pattern: undefined, identity: range.identity };
}

/** For messages: `prefix "/app/"`, `pattern "/tenants/:tenant/limits"`. */
export const describeHandlerTarget = ({ range, pattern }: HandlerTarget): string =>
  pattern ? `pattern ${quoted(pattern.source)}` : range.toString();
