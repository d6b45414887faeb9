import { isUtf8 } from 'node:buffer';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { bufferOf, type DocumentBytes } from './document-bytes.js';

/** Returns the text of a document without a byte order mark; `undefined` if the bytes are not UTF-8. */
export function textOf(bytes: DocumentBytes): string | undefined {
  if (typeof bytes === 'string' && isAscii(bytes)) return bytes;
  const buffer = bufferOf(bytes);
  if (!isUtf8(buffer)) return undefined;
  const text = buffer.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

const isAscii = (latin1: string): boolean => !/[\x80-\xff]/.test(latin1);

/** Rejects the document with one violation; `''` is the path of the document itself. */
export const rejected = (
  constraint: string,
  path = '',
): { readonly ok: false; readonly violations: readonly ConfigViolation[] } => ({
  ok: false,
  violations: [{ path, constraints: [constraint] }],
});
