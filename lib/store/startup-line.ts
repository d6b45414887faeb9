import { counted } from '../counted.js';
import { quoted } from '../foreign/foreign-text.js';
import type { DefinitionFeed } from './cache/definition-feed.js';
import { skippedKeysOf } from './config-boot.js';

/** Describes what the store loaded: definitions, keys with a value, revision, time, and the keys that were skipped. */
export function startupLine(feeds: readonly DefinitionFeed[], ms: number): string {
  const keys = feeds.reduce((sum, { cache }) => sum + cache.counts().keys, 0);
  const revision = feeds.reduce((highest, { visibleRevision }) => Math.max(highest, visibleRevision), 0);
  const at = revision > 0 ? ` at revision ${revision}` : '';
  return `loaded ${counted(feeds.length, 'definition')} with ${counted(keys, 'key')}${at} in ${Math.round(ms)} ms${skipped(feeds)}`;
}

function skipped(feeds: readonly DefinitionFeed[]): string {
  const keys = feeds.flatMap(skippedKeysOf);
  if (keys.length === 0) return '';
  const names = keys.slice(0, MAX_NAMES).map(quoted).join(', ');
  const rest = keys.length > MAX_NAMES ? ` and ${keys.length - MAX_NAMES} more` : '';
  return `; skipped ${counted(keys.length, 'key')} with an invalid value: ${names}${rest}`;
}

const MAX_NAMES = 10;
