import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { EtcdCache } from './etcd-cache.js';
import { fetchFromApt } from './etcd-from-apt.js';
import { fetchFromRelease } from './etcd-from-release.js';
import { EtcdNotFoundError } from '../etcd-testing.errors.js';
import { ETCD_FILE, etcdVersionOf, isVersion } from './etcd-version.js';

/** Order in which versions are fetched when the caller requests none. */
const PREFERRED_VERSIONS = ['3.5', '3.4'];

/** An etcd executable that runs on this machine. */
export interface EtcdBinary {
  readonly path: string;
  /** Full version, for example `3.5.21`. */
  readonly version: string;
  /** Place where `findEtcd` found the executable. */
  readonly source: 'ETCD_BIN' | 'PATH' | 'cache' | 'apt' | 'release';
}

/** Options of `findEtcd`. */
export interface FindEtcdOptions {
  /** `major.minor`, for example `'3.5'`. @default any installed version; 3.5 if etcd has to be fetched */
  readonly version?: string | undefined;
  /**
   * Environment with `ETCD_BIN`, `PATH`, `ETCD_CACHE_DIR`, `XDG_CACHE_HOME`, `ETCD_DOWNLOAD_BASE` (an https mirror of
   * the releases) and `ETCD_DOWNLOAD_SHA256` (the checksum of its archive, if this package does not know it).
   * @default process.env
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Called with one line for each binary that is skipped or fetched. @default no output */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Finds or fetches an etcd binary. It tries, in this order: `ETCD_BIN`, the `PATH`, the cache, the distribution's
 * package (unpacked into the cache, not installed) and the official release. Rejects with `EtcdNotFoundError` if none
 * of these works.
 */
export async function findEtcd({
  version,
  env = process.env,
  log = () => undefined,
}: FindEtcdOptions = {}): Promise<EtcdBinary> {
  if (version !== undefined && !/^\d+\.\d+$/.test(version)) {
    throw new InvalidOptionsError(`version is "${version}", but must be major.minor, for example "3.5"`);
  }
  const cache = new EtcdCache(env);
  return (
    (await fromEnvironment(version, env, log)) ??
    (await fromPath(version, env, log)) ??
    (await fromCache(cache, version, env)) ??
    (await fetchEtcd(cache, version, env, log))
  );
}

async function fromEnvironment(
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  if (!env.ETCD_BIN) return undefined;
  const path = resolve(env.ETCD_BIN);
  const version = await etcdVersionOf(path, env).catch((cause: unknown) => {
    throw new InvalidOptionsError(`ETCD_BIN is "${path}", which cannot be run as etcd: ${messageOf(cause)}`, { cause });
  });
  if (isVersion(version, requested)) return { path, version, source: 'ETCD_BIN' };
  log(`ETCD_BIN is etcd ${version}, not the requested ${String(requested)}: it is skipped`);
  return undefined;
}

async function fromPath(
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, ETCD_FILE);
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isExecutable) continue;
    const version = await etcdVersionOf(path, env).catch(() => undefined);
    if (version !== undefined && isVersion(version, requested)) return { path, version, source: 'PATH' };
    log(`${path} is ${version === undefined ? 'not a working etcd' : `etcd ${version}`}: it is skipped`);
  }
  return undefined;
}

async function fromCache(
  cache: EtcdCache,
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<EtcdBinary | undefined> {
  for (const version of requested === undefined ? [...PREFERRED_VERSIONS, undefined] : [requested]) {
    const found = await cache.find(version, env);
    if (found) return { ...found, source: 'cache' };
  }
  return undefined;
}

async function fetchEtcd(
  cache: EtcdCache,
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary> {
  const tried = ['ETCD_BIN, the PATH and the cache have no matching etcd'];
  for (const version of requested === undefined ? PREFERRED_VERSIONS : [requested]) {
    for (const [source, fetch] of [
      ['apt', fetchFromApt],
      ['release', fetchFromRelease],
    ] as const) {
      try {
        return { ...(await fetch({ version, cache, env, log })), source };
      } catch (error) {
        tried.push(`etcd ${version} from ${source}: ${messageOf(error)}`);
      }
    }
  }
  throw new EtcdNotFoundError(requested, tried);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.message === 'fetch failed' ? messageOf(error.cause) : error.message;
}
