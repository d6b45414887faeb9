import { isUtf8 } from 'node:buffer';
import type { ConfigViolation } from '../etcd-trigger.errors.js';

/** The text of a document, without a byte order mark; `undefined` when the bytes are no UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/** The document as a whole is not what it should be. */
export const failed = (
  constraint: string,
  path = '',
): { readonly ok: false; readonly violations: readonly ConfigViolation[] } => ({
  ok: false,
  violations: [{ path, constraints: [constraint] }],
});
