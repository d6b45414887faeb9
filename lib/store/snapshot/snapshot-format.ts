import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import type { ConfigDocument } from '../cache/config-cache.js';

/** What an offline snapshot holds. */
export interface SnapshotContent {
  /** Identity of the etcd cluster, as its servers say it. */
  readonly clusterId: string;
  /** Name of the cluster in the application, and what stands before its keys in etcd. */
  readonly cluster: string;
  readonly keyPrefix: string;
  /** When all of it was last known to be current, in milliseconds since 1970. */
  readonly asOf: number;
  /** The definitions whose documents it holds, as sentences call them. */
  readonly definitions: readonly string[];
  readonly documents: readonly ConfigDocument[];
}

/** Why a file cannot be used, as the end of a sentence about it. */
export class SnapshotFault extends Error {}

/**
 * Pieces of a file: one line of text that names the format, the lines of the content (encrypted, and then their authentication tag, when there is a
 * key), and the SHA-256 of all that. Made when asked for, so that other work goes on between two pieces of a large one.
 */
export function* encodeSnapshot(content: SnapshotContent, encryptionKey?: Buffer): Generator<Buffer, void, void> {
  const nonce = encryptionKey && randomBytes(NONCE_BYTES);
  const head = Buffer.from(`${FORMAT}/${VERSION} ${nonce ? `${CIPHER} ${nonce.toString('hex')}` : 'plain'}\n`);
  const cipher = encryptionKey && nonce && createCipheriv(CIPHER, encryptionKey, nonce).setAAD(head);
  const hash = createHash('sha256').update(head);
  yield head;
  for (const text of pieces(content)) {
    const piece = cipher ? cipher.update(text, 'utf8') : Buffer.from(text);
    hash.update(piece);
    yield piece;
  }
  if (cipher) {
    const end = Buffer.concat([cipher.final(), cipher.getAuthTag()]);
    hash.update(end);
    yield end;
  }
  yield hash.digest();
}

/** @throws SnapshotFault */
export function decodeSnapshot(file: Buffer, encryptionKey?: Buffer): SnapshotContent {
  const [head, version, nonce] = headOf(file);
  if (version !== VERSION) throw new SnapshotFault(`has version ${version} of the format, which is not ${VERSION}`);
  if (!isWhole(file)) throw new SnapshotFault('is damaged or incomplete');
  if (nonce && !encryptionKey) throw new SnapshotFault('is encrypted, and there is no encryptionKey');
  if (!nonce && encryptionKey) throw new SnapshotFault('is not encrypted, although there is an encryptionKey');
  const body = file.subarray(head.length, -HASH_BYTES);
  return readContent(nonce && encryptionKey ? decrypt(body, head, nonce, encryptionKey) : body);
}

const FORMAT = 'nestjs-etcd-trigger-snapshot';
const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HASH_BYTES = 32;
/** Documents in one piece. */
const PIECE = 500;

/** One line says what it is, each other line is a document. */
function* pieces({ documents, ...rest }: SnapshotContent): Generator<string> {
  yield `${JSON.stringify(rest)}\n`;
  for (let start = 0; start < documents.length; start += PIECE) {
    yield documents
      .slice(start, start + PIECE)
      .map(({ key, revision, bytes }) => `${JSON.stringify([key, revision, bytes.toString('base64')])}\n`)
      .join('');
  }
}

function headOf(file: Buffer): readonly [head: Buffer, version: number, nonce: Buffer | undefined] {
  const length = file.indexOf('\n') + 1;
  const head = file.subarray(0, length);
  const [, version, nonce] = HEAD.exec(head.toString('latin1')) ?? [];
  if (version === undefined) throw new SnapshotFault('is no snapshot, or is damaged');
  return [head, Number(version), nonce === undefined ? undefined : Buffer.from(nonce, 'hex')];
}

const HEAD = new RegExp(`^${FORMAT}/(\\d{1,9}) (?:plain|${CIPHER} ([0-9a-f]{${NONCE_BYTES * 2}}))\n$`);

const isWhole = (file: Buffer): boolean =>
  createHash('sha256').update(file.subarray(0, -HASH_BYTES)).digest().equals(file.subarray(-HASH_BYTES));

function decrypt(body: Buffer, head: Buffer, nonce: Buffer, encryptionKey: Buffer): Buffer {
  try {
    const decipher = createDecipheriv(CIPHER, encryptionKey, nonce).setAAD(head);
    decipher.setAuthTag(body.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new SnapshotFault('was written with another encryptionKey');
  }
}

/** What has passed the checksum was written by this library, or by somebody who may write there anyway: the values in it are checked like all others. */
function readContent(body: Buffer): SnapshotContent {
  try {
    const [first = '', ...lines] = body.toString('utf8').trimEnd().split('\n');
    const documents = lines.map((line): ConfigDocument => {
      const [key, revision, base64] = JSON.parse(line) as [string, number, string];
      return { key, revision, bytes: Buffer.from(base64, 'base64') };
    });
    return { ...(JSON.parse(first) as Omit<SnapshotContent, 'documents'>), documents };
  } catch {
    throw new SnapshotFault('is damaged or incomplete');
  }
}
