/** Short values share pieces of memory so large: who keeps one of them keeps no more. */
const PIECE_BYTES = 2_048;

let piece = Buffer.alloc(0);
let used = 0;

/** Text with one char a byte as a `Buffer` of its own. Making memory takes Node 0.6 us, three times as long as all the rest. */
export function valueBytesOf(text: string): Buffer {
  const { length } = text;
  if (length > PIECE_BYTES / 4) {
    const own = Buffer.allocUnsafeSlow(length);
    own.write(text, 'latin1');
    return own;
  }
  if (used + length > piece.length) {
    piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    used = 0;
  }
  const bytes = piece.subarray(used, used + length);
  piece.write(text, used, length, 'latin1');
  used += length;
  return bytes;
}
