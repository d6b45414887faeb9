import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { EtcdCache } from './etcd-cache.js';
import { fetchFromApt } from './etcd-from-apt.js';
import { fetchFromRelease } from './etcd-from-release.js';
import { EtcdNotFoundError } from '../etcd-testing.errors.js';
import { ETCD_FILE, etcdVersionOf, isVersion } from './etcd-version.js';

/** Fetched in this order when no version is asked for. */
const PREFERRED = ['3.5', '3.4'];

/** An etcd program that runs on this machine. */
export interface EtcdBinary {
  readonly path: string;
  /** The full version, as `3.5.21`. */
  readonly version: string;
  /** Where it comes from. */
  readonly source: 'ETCD_BIN' | 'PATH' | 'cache' | 'apt' | 'release';
}

/** Which etcd, and where to look. */
export interface FindEtcdOptions {
  /** `major.minor`, as `'3.5'`. @default any; when one has to be fetched, 3.5 */
  readonly version?: string | undefined;
  /** Where `ETCD_BIN`, `PATH`, `ETCD_CACHE_DIR`, `XDG_CACHE_HOME` and `ETCD_DOWNLOAD_BASE` are read. @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Told in one line what is skipped and what is fetched. @default silent */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Finds an etcd or gets one: `ETCD_BIN`, the `PATH`, a copy fetched earlier, the distribution's package (unpacked into the cache, nothing is
 * installed), the official release. Rejects with `EtcdNotFoundError` when none of these works.
 */
export async function findEtcd({
  version,
  env = process.env,
  log = () => undefined,
}: FindEtcdOptions = {}): Promise<EtcdBinary> {
  if (version !== undefined && !/^\d+\.\d+$/.test(version)) {
    throw new InvalidOptionsError(`version is "${version}", but must be major.minor, as "3.5"`);
  }
  const cache = new EtcdCache(env);
  return (
    (await fromEnvironment(version, env, log)) ??
    (await fromPath(version, env, log)) ??
    (await fromCache(cache, version, env)) ??
    (await fetched(cache, version, env, log))
  );
}

async function fromEnvironment(
  wanted: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  if (!env.ETCD_BIN) return undefined;
  const path = resolve(env.ETCD_BIN);
  const version = await etcdVersionOf(path, env).catch((cause: unknown) => {
    throw new InvalidOptionsError(`ETCD_BIN is "${path}", which cannot be run as etcd: ${messageOf(cause)}`, { cause });
  });
  if (isVersion(version, wanted)) return { path, version, source: 'ETCD_BIN' };
  log(`ETCD_BIN is etcd ${version}, not the ${String(wanted)} asked for: looking further`);
  return undefined;
}

async function fromPath(
  wanted: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, ETCD_FILE);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const version = await etcdVersionOf(path, env).catch(() => undefined);
    if (version !== undefined && isVersion(version, wanted)) return { path, version, source: 'PATH' };
    log(`${path} is ${version === undefined ? 'not an etcd that runs' : `etcd ${version}`}: looking further`);
  }
  return undefined;
}

async function fromCache(
  cache: EtcdCache,
  wanted: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<EtcdBinary | undefined> {
  for (const version of wanted === undefined ? [...PREFERRED, undefined] : [wanted]) {
    const found = await cache.find(version, env);
    if (found) return { ...found, source: 'cache' };
  }
  return undefined;
}

async function fetched(
  cache: EtcdCache,
  wanted: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary> {
  const tried = ['ETCD_BIN, the PATH and the cache hold none'];
  for (const version of wanted === undefined ? PREFERRED : [wanted]) {
    for (const [source, fetch] of [
      ['apt', fetchFromApt],
      ['release', fetchFromRelease],
    ] as const) {
      try {
        return { ...(await fetch({ version, cache, env, log })), source };
      } catch (error) {
        tried.push(`etcd ${version} by ${source}: ${messageOf(error)}`);
      }
    }
  }
  throw new EtcdNotFoundError(wanted, tried);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.message === 'fetch failed' ? messageOf(error.cause) : error.message;
}
