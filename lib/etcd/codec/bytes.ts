/** Decodes bytes to text with one char a byte. `latin1Slice` is what `toString('latin1')` calls in the end. */
export const latin1Of = (bytes: Buffer, start: number, end: number): string =>
  (bytes as Buffer & { latin1Slice(start: number, end: number): string }).latin1Slice(start, end);

/** Copies bytes into separate memory. Memory from Node's pool would be shared with other buffers. */
export function copyBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
