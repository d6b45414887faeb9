import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { described, type OptionNames } from '../../option-checks.js';
import { checkOption, checkOptions, isObject } from '../argument-checks.js';
import { EtcdCache } from './etcd-cache.js';
import { type FetchOptions, fetchFromApt } from './etcd-from-apt.js';
import { fetchFromRelease } from './etcd-from-release.js';
import { EtcdNotFoundError } from '../etcd-testing.errors.js';
import { ETCD, type EtcdProgram, fileNameOf, isVersion, versionOf } from './etcd-program.js';

/** Order in which versions are fetched when the caller requests none. */
const PREFERRED_VERSIONS = ['3.5', '3.4'];

const METHOD = 'findEtcd()';
const OPTIONS: OptionNames<FindEtcdOptions> = { version: true, env: true, log: true };

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
export async function findEtcd(options?: FindEtcdOptions): Promise<EtcdBinary> {
  return findProgram(ETCD, options);
}

/** Like `findEtcd`, for another program and with its own variable. */
export async function findProgram(program: EtcdProgram, options: FindEtcdOptions = {}): Promise<EtcdBinary> {
  checkOptions(METHOD, options, OPTIONS);
  const { version, env = process.env, log = () => undefined } = options;
  if (version !== undefined && !(typeof version === 'string' && /^\d+\.\d+$/.test(version))) {
    throw new InvalidOptionsError(
      `${METHOD}: version is ${described(version)}, but must be major.minor, such as "3.5"`,
    );
  }
  checkOption(METHOD, 'env', isObject(env), 'an object of environment variables');
  checkOption(METHOD, 'log', typeof log === 'function', 'a function');
  const cache = new EtcdCache(program, env);
  return (
    (await fromEnvironment(program, version, env, log)) ??
    (await fromPath(program, version, env, log)) ??
    (await fromCache(cache, version, env)) ??
    (await fetchProgram({ program, cache, env, log }, version))
  );
}

async function fromEnvironment(
  program: EtcdProgram,
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  const { name, variable } = program;
  const value = env[variable];
  if (!value) return undefined;
  const path = resolve(value);
  const version = await versionOf(program, path, env).catch((cause: unknown) => {
    throw new InvalidOptionsError(`${variable} is "${path}", which cannot be run as ${name}: ${messageOf(cause)}`, {
      cause,
    });
  });
  if (isVersion(version, requested)) return { path, version, source: 'ETCD_BIN' };
  log(`${variable} is ${name} ${version}, not the requested ${String(requested)}: it is skipped`);
  return undefined;
}

async function fromPath(
  program: EtcdProgram,
  requested: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<EtcdBinary | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, fileNameOf(program));
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isExecutable) continue;
    const version = await versionOf(program, path, env).catch(() => undefined);
    if (version !== undefined && isVersion(version, requested)) return { path, version, source: 'PATH' };
    log(
      `${path} is ${version === undefined ? `not a working ${program.name}` : `${program.name} ${version}`}: it is skipped`,
    );
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

async function fetchProgram(
  options: Omit<FetchOptions, 'version'>,
  requested: string | undefined,
): Promise<EtcdBinary> {
  const { name, variable } = options.program;
  const tried = [`${variable}, the PATH and the cache have no matching ${name}`];
  for (const version of requested === undefined ? PREFERRED_VERSIONS : [requested]) {
    for (const [source, fetch] of [
      ['apt', fetchFromApt],
      ['release', fetchFromRelease],
    ] as const) {
      try {
        return { ...(await fetch({ ...options, version })), source };
      } catch (error) {
        tried.push(`${name} ${version} from ${source}: ${messageOf(error)}`);
      }
    }
  }
  throw new EtcdNotFoundError(requested, tried);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.message === 'fetch failed' ? messageOf(error.cause) : error.message;
}
