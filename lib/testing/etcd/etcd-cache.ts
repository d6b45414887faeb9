import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ETCD_FILE, etcdVersionOf, isVersion } from './etcd-version.js';

const WORKSPACE = '.fetching-';
const ABANDONED_AFTER_MS = 60 * 60_000;

/** The etcd binaries fetched earlier, each at `<directory>/<version>/etcd`. Whatever is there is complete. */
export class EtcdCache {
  readonly directory: string;

  constructor(env: NodeJS.ProcessEnv) {
    // An empty variable counts as none.
    const root = [env.ETCD_CACHE_DIR, env.XDG_CACHE_HOME].find(Boolean) ?? join(homedir(), '.cache');
    this.directory = join(root, 'nestjs-etcd-trigger', 'etcd');
  }

  /** The newest cached binary of a `major.minor` version. */
  async find(
    version: string | undefined,
    env: NodeJS.ProcessEnv,
  ): Promise<{ path: string; version: string } | undefined> {
    const entries = await readdir(this.directory).catch(() => []);
    const newestFirst = entries
      .filter((name) => !name.startsWith('.') && isVersion(name, version))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    for (const name of newestFirst) {
      const path = join(this.directory, name, ETCD_FILE);
      const found = await etcdVersionOf(path, env).catch(() => undefined);
      if (found !== undefined && isVersion(found, version)) return { path, version: found };
    }
    return undefined;
  }

  /** Lends a folder in the cache, on the same file system, and removes it afterwards whatever happens. */
  async withWorkspace<T>(use: (folder: string) => Promise<T>): Promise<T> {
    await mkdir(this.directory, { recursive: true });
    await this.#removeAbandoned();
    const folder = await mkdtemp(join(this.directory, WORKSPACE));
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Takes over a binary that runs; a rename, so that others see it whole or not at all, and the last of several wins. */
  async put(binary: string, env: NodeJS.ProcessEnv): Promise<{ path: string; version: string }> {
    const version = await etcdVersionOf(binary, env);
    const path = join(this.directory, version, ETCD_FILE);
    await mkdir(join(this.directory, version), { recursive: true });
    await rename(binary, path).catch(async (error: unknown) => {
      // Windows refuses to replace a binary that runs: then another process has put the same one there.
      if ((await etcdVersionOf(path, env).catch(() => undefined)) !== version) throw error;
    });
    return { path, version };
  }

  /** A process that was killed while fetching leaves its folder behind. */
  async #removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.directory)) {
      if (!name.startsWith(WORKSPACE)) continue;
      const folder = join(this.directory, name);
      const age = Date.now() - ((await stat(folder).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (age > ABANDONED_AFTER_MS) await rm(folder, { recursive: true, force: true });
    }
  }
}
