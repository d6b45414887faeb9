import type { Writable } from 'node:stream';

const PREFIX_BYTES = 5;
/** Up to this length, copying the message costs less than writing it apart from its prefix. */
const MAX_COPIED_BYTES = 16_384;

/** Writes one message of gRPC, uncompressed. */
export function writeMessage(stream: Writable, message: Buffer): void {
  if (message.length <= MAX_COPIED_BYTES) {
    stream.write(framed(message));
    return;
  }
  stream.cork();
  stream.write(prefixOf(message));
  stream.write(message);
  stream.uncork();
}

/** Writes the only message of a call and ends the writable side with it. */
export function endWithMessage(stream: Writable, message: Buffer): void {
  if (message.length <= MAX_COPIED_BYTES) {
    stream.end(framed(message));
    return;
  }
  stream.cork();
  stream.write(prefixOf(message));
  stream.end(message);
  stream.uncork();
}

function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, PREFIX_BYTES);
  return frame;
}

function prefixOf(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return prefix;
}
