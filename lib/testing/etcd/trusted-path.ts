import type { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Checks that no other user can have placed or replaced a program that this process is about to run: `folder`, the
 * folders above it, and `own`, the files and folders that only this program creates, which must also belong to this
 * user or to root.
 * @throws Error that names the path and the remedy
 */
export async function checkTrusted(folder: string, own: readonly string[] = []): Promise<void> {
  if (process.getuid === undefined) return;
  const uid = process.getuid();
  for (const path of [folder, ...own]) {
    const stats = await lstatIfExists(path);
    if (stats?.isSymbolicLink()) throw new Error(`${path} is a symbolic link: remove it`);
    if (stats && stats.uid !== uid && stats.uid !== 0) {
      throw new Error(`${path} belongs to another user: remove it, or set ETCD_CACHE_DIR to a folder of your own`);
    }
    if (stats && isWritableByOthers(stats)) throw writable(path);
  }
  for (let path = dirname(folder); path !== dirname(path); path = dirname(path)) {
    const stats = await lstatIfExists(path);
    // In a sticky folder, such as /tmp, other users can neither remove nor rename what belongs to this user.
    if (stats && !stats.isSymbolicLink() && isWritableByOthers(stats) && !(stats.mode & STICKY)) throw writable(path);
  }
}

const STICKY = 0o1000;

/** The group counts as others unless it is the user's own, which many systems make for each user. */
const isWritableByOthers = ({ mode, gid }: Stats): boolean =>
  (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== process.getgid?.());

const writable = (path: string): Error =>
  new Error(`${path} is writable by other users: chmod go-w it, or set ETCD_CACHE_DIR to a folder of your own`);

async function lstatIfExists(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}
