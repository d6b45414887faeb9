import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileErrorCode } from './file-error-code.js';
import type { SnapshotContent } from './snapshot-content.js';
import { decodeSnapshot, encodeSnapshot, UnusableSnapshotError } from './snapshot-format.js';

/** A larger file is neither written nor read. Its text would approach the longest string of V8. */
export const MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024;

/** A file that is replaced atomically: after a crash it is either the last written snapshot or the one before. */
export class SnapshotFile {
  constructor(
    readonly path: string,
    private readonly encryptionKey?: Buffer,
  ) {}

  /**
   * Returns `undefined` if the file does not exist.
   * @throws UnusableSnapshotError
   * @throws Error of the file system
   */
  async read(): Promise<SnapshotContent | undefined> {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const file = await open(this.path, flags).catch((error: unknown) => {
      if (fileErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    try {
      return file && decodeSnapshot(await readRegular(file), this.encryptionKey);
    } finally {
      await file?.close();
    }
  }

  /**
   * Replaces the file, which is readable by its owner only.
   * @throws Error of the file system; the previous file then remains
   */
  async write(content: SnapshotContent): Promise<void> {
    const folder = dirname(this.path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${randomUUID()}${TEMPORARY}`;
    try {
      await writeDurably(temporary, encodeSnapshot(content, this.encryptionKey));
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(folder);
    await this.#removeLeftovers(folder);
  }

  /** Removes old temporary files of processes that crashed. Recent ones may belong to a process that is writing now. */
  async #removeLeftovers(folder: string): Promise<void> {
    const names = (await readdir(folder)).filter(
      (name) => name.startsWith(`${basename(this.path)}.`) && name.endsWith(TEMPORARY),
    );
    for (const path of names.map((name) => join(folder, name))) {
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs > LEFTOVER_MS) await rm(path, { force: true }).catch(() => undefined);
    }
  }
}

const TEMPORARY = '.tmp';
const LEFTOVER_MS = 60_000;

/** Reads a file up to the size that it has now. */
async function readRegular(file: FileHandle): Promise<Buffer> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new UnusableSnapshotError('is not a regular file');
  if (stats.size > MAX_SNAPSHOT_BYTES) {
    throw new UnusableSnapshotError(`has ${stats.size} bytes, more than ${MAX_SNAPSHOT_BYTES}`);
  }
  const bytes = Buffer.alloc(stats.size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** Resolves when the content is on the disk and not only in its cache. */
async function writeDurably(path: string, pieces: Iterable<Buffer>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    let length = 0;
    for (const piece of pieces) {
      length += piece.length;
      if (length > MAX_SNAPSHOT_BYTES) throw Object.assign(new Error('the snapshot is too large'), { code: 'EFBIG' });
      await file.writeFile(piece);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Flushes the rename to the disk. Some file systems cannot open a folder; there the rename is not flushed. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  try {
    await folder?.sync().catch(() => undefined);
  } finally {
    await folder?.close();
  }
}
