/** The bytes as text with one char each: what `toString('latin1')` calls after some detours, which took as long as a short text itself. */
export const latin1Of = (bytes: Buffer, start: number, end: number): string =>
  (bytes as Buffer & { latin1Slice(start: number, end: number): string }).latin1Slice(start, end);

/** The bytes again, in memory that nothing else shares; Node's pool would share it with others. */
export function copyBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
