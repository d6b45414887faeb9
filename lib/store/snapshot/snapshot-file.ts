import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileErrorCode } from './file-error-code.js';
import { decodeSnapshot, encodeSnapshot, type SnapshotContent } from './snapshot-format.js';

/** One file that is always either the last snapshot that was written or the one before, whenever the process or the machine ends. */
export class SnapshotFile {
  constructor(
    readonly path: string,
    private readonly encryptionKey?: Buffer,
  ) {}

  /**
   * What it holds; `undefined` when there is no such file.
   * @throws SnapshotFault when it cannot be used
   * @throws Error of the file system
   */
  async read(): Promise<SnapshotContent | undefined> {
    const bytes = await readFile(this.path).catch((error: unknown) => {
      if (fileErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    return bytes && decodeSnapshot(bytes, this.encryptionKey);
  }

  /**
   * Replaces the file. Readable by its owner only.
   * @throws Error of the file system; then the file is what it was
   */
  async write(content: SnapshotContent): Promise<void> {
    const folder = dirname(this.path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${randomUUID()}${TEMPORARY}`;
    try {
      await writeDown(temporary, encodeSnapshot(content, this.encryptionKey));
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(folder);
    await this.#removeLeftovers(folder);
  }

  /** Of processes that ended while they wrote. Another one may be writing now: only old ones. */
  async #removeLeftovers(folder: string): Promise<void> {
    const names = (await readdir(folder)).filter(
      (name) => name.startsWith(`${basename(this.path)}.`) && name.endsWith(TEMPORARY),
    );
    for (const path of names.map((name) => join(folder, name))) {
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs > LEFTOVER_MS) await rm(path, { force: true });
    }
  }
}

const TEMPORARY = '.tmp';
const LEFTOVER_MS = 60_000;

/** On the disk, not only in its cache, when it resolves. */
async function writeDown(path: string, pieces: Iterable<Buffer>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The name, too, is on the disk afterwards. Not every file system lets a folder be opened; there the rename itself has to do. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  try {
    await folder?.sync().catch(() => undefined);
  } finally {
    await folder?.close();
  }
}
