import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type EtcdProgram, fileNameOf, isVersion, versionOf } from './etcd-program.js';
import { checkTrusted } from './trusted-path.js';

const WORKSPACE = '.fetching-';
const ABANDONED_AFTER_MS = 60 * 60_000;

/** Cache of fetched binaries of etcd, each at `<directory>/<version>/<name>`. Every binary in it is complete. */
export class EtcdCache {
  readonly directory: string;
  readonly #program: EtcdProgram;
  readonly #file: string;

  constructor(program: EtcdProgram, env: NodeJS.ProcessEnv) {
    this.#program = program;
    this.#file = fileNameOf(program);
    // An empty variable counts as unset.
    const root = [env.ETCD_CACHE_DIR, env.XDG_CACHE_HOME].find(Boolean) ?? join(homedir(), '.cache');
    this.directory = join(root, 'nestjs-etcd-trigger', 'etcd');
  }

  /** Returns the newest cached binary of a `major.minor` version. Skips binaries that other users can change. */
  async find(
    version: string | undefined,
    env: NodeJS.ProcessEnv,
  ): Promise<{ path: string; version: string } | undefined> {
    const entries = await readdir(this.directory).catch(() => []);
    const newestFirst = entries
      .filter((name) => !name.startsWith('.') && isVersion(name, version))
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    for (const name of newestFirst) {
      const path = join(this.directory, name, this.#file);
      const isTrusted = await checkTrusted(this.directory, [join(this.directory, name), path]).then(
        () => true,
        () => false,
      );
      if (!isTrusted) continue;
      const found = await versionOf(this.#program, path, env).catch(() => undefined);
      if (found !== undefined && isVersion(found, version)) return { path, version: found };
    }
    return undefined;
  }

  /**
   * Calls `use` with a temporary folder on the cache's file system, and removes the folder afterwards.
   * @throws Error if other users can change the cache
   */
  async withWorkspace<T>(use: (folder: string) => Promise<T>): Promise<T> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await checkTrusted(this.directory);
    await this.#removeAbandoned();
    const folder = await mkdtemp(join(this.directory, WORKSPACE));
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Moves a working binary into the cache. The move is a rename: other processes see the whole file or none, and the
   * last of several concurrent writers wins.
   */
  async put(binary: string, env: NodeJS.ProcessEnv): Promise<{ path: string; version: string }> {
    const version = await versionOf(this.#program, binary, env);
    const path = join(this.directory, version, this.#file);
    const folder = join(this.directory, version);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await checkTrusted(this.directory, [folder]);
    // An archive may make its files writable by the group.
    await chmod(binary, 0o755);
    await rename(binary, path).catch(async (error: unknown) => {
      // Windows cannot replace a running binary. Then another process has already cached the same version.
      if ((await versionOf(this.#program, path, env).catch(() => undefined)) !== version) throw error;
    });
    return { path, version };
  }

  /** A process that is killed while it fetches leaves its folder behind. */
  async #removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.directory)) {
      if (!name.startsWith(WORKSPACE)) continue;
      const folder = join(this.directory, name);
      const age = Date.now() - ((await stat(folder).catch(() => undefined))?.mtimeMs ?? Date.now());
      if (age > ABANDONED_AFTER_MS) await rm(folder, { recursive: true, force: true });
    }
  }
}
