import { changedPaths } from '../document-diff.js';
import { isJsonObject, type JsonObject } from '../json-object.js';
import { type DocumentSecrets, maskDocument } from './document-mask.js';
import { MASK } from './mask.js';

/**
 * Returns the paths of the parts that `sent` changes, as `changedPaths` does, for somebody who does not know the secrets. A
 * secret that is sent is listed also if it is the current one, so that nobody learns whether a guess is right. A `***`
 * keeps the secret, and is not listed.
 */
export function changedPathsOf(
  current: JsonObject | undefined,
  sent: JsonObject | undefined,
  definition: DocumentSecrets,
): string[] {
  const before = current && maskDocument(current, definition).document;
  return changedPaths(before, sent && markSent(sent, maskDocument(sent, definition).document));
}

/** Replaces the secrets that are sent by a value that equals no other one. */
function markSent(sent: unknown, masked: unknown): unknown {
  if (masked === MASK) return sent === MASK ? MASK : SENT;
  if (Array.isArray(sent) && Array.isArray(masked)) return sent.map((item, index) => markSent(item, masked[index]));
  if (!isJsonObject(sent) || !isJsonObject(masked)) return sent;
  return Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, markSent(value, masked[name])]));
}

const SENT = Symbol('a secret that is sent');
