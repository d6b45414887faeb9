import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { type SnapshotContent, snapshotDocumentOf, snapshotHeadOf } from './snapshot-content.js';

/** The message completes a sentence that starts with the name of the file. */
export class UnusableSnapshotError extends Error {}

/**
 * Yields a file in chunks: a line that names the format, the lines of the content (with a key: encrypted, followed by
 * their authentication tag), and the SHA-256 of everything before. The chunks are created lazily, so that a large file
 * does not block the event loop.
 */
export function* encodeSnapshot(content: SnapshotContent, encryptionKey?: Buffer): Generator<Buffer, void, void> {
  const nonce = encryptionKey && randomBytes(NONCE_BYTES);
  const head = Buffer.from(`${FORMAT}/${VERSION} ${nonce ? `${CIPHER} ${nonce.toString('hex')}` : 'plain'}\n`);
  const cipher = encryptionKey && nonce && createCipheriv(CIPHER, encryptionKey, nonce).setAAD(head);
  const hash = createHash('sha256').update(head);
  yield head;
  for (const text of chunksOf(content)) {
    const chunk = cipher ? cipher.update(text, 'utf8') : Buffer.from(text);
    hash.update(chunk);
    yield chunk;
  }
  if (cipher) {
    const end = Buffer.concat([cipher.final(), cipher.getAuthTag()]);
    hash.update(end);
    yield end;
  }
  yield hash.digest();
}

/** @throws UnusableSnapshotError */
export function decodeSnapshot(file: Buffer, encryptionKey?: Buffer): SnapshotContent {
  const [head, version, nonce] = headOf(file);
  if (version !== VERSION) throw new UnusableSnapshotError(`has format version ${version}, which is not ${VERSION}`);
  if (!isIntact(file)) throw new UnusableSnapshotError('is damaged or incomplete');
  if (nonce && !encryptionKey) throw new UnusableSnapshotError('is encrypted, but there is no encryptionKey');
  if (!nonce && encryptionKey) throw new UnusableSnapshotError('is not encrypted, although there is an encryptionKey');
  const body = file.subarray(head.length, -HASH_BYTES);
  return readContent(nonce && encryptionKey ? decrypt(body, head, nonce, encryptionKey) : body);
}

const FORMAT = 'nestjs-etcd-trigger-snapshot';
const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HASH_BYTES = 32;
/** Documents per chunk. */
const CHUNK_SIZE = 500;

/** The first line contains everything but the documents; each other line is one document. */
function* chunksOf({ documents, ...rest }: SnapshotContent): Generator<string> {
  yield `${JSON.stringify(rest)}\n`;
  for (let start = 0; start < documents.length; start += CHUNK_SIZE) {
    yield documents
      .slice(start, start + CHUNK_SIZE)
      .map(({ key, revision, bytes }) => `${JSON.stringify([key, revision, bytes.toString('base64')])}\n`)
      .join('');
  }
}

function headOf(file: Buffer): readonly [head: Buffer, version: number, nonce: Buffer | undefined] {
  const length = file.indexOf('\n') + 1;
  const head = file.subarray(0, length);
  const [, version, nonce] = HEAD.exec(head.toString('latin1')) ?? [];
  if (version === undefined) throw new UnusableSnapshotError('is not a snapshot or is damaged');
  return [head, Number(version), nonce === undefined ? undefined : Buffer.from(nonce, 'hex')];
}

const HEAD = new RegExp(`^${FORMAT}/(\\d{1,9}) (?:plain|${CIPHER} ([0-9a-f]{${NONCE_BYTES * 2}}))\n$`);

const isIntact = (file: Buffer): boolean =>
  createHash('sha256').update(file.subarray(0, -HASH_BYTES)).digest().equals(file.subarray(-HASH_BYTES));

function decrypt(body: Buffer, head: Buffer, nonce: Buffer, encryptionKey: Buffer): Buffer {
  try {
    const decipher = createDecipheriv(CIPHER, encryptionKey, nonce).setAAD(head);
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new UnusableSnapshotError('was written with another encryptionKey');
  }
}

/** The checksum does not authenticate the file, so its types are checked, and its values are validated like all others. */
function readContent(body: Buffer): SnapshotContent {
  const [first, ...lines] = body.toString('utf8').trimEnd().split('\n').map(parsed);
  const head = snapshotHeadOf(first);
  const documents = lines.flatMap((line) => snapshotDocumentOf(line) ?? []);
  if (!head || documents.length < lines.length) throw new UnusableSnapshotError('has another content than a snapshot');
  return { ...head, documents };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
