import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdSources } from './apt-sources.js';
import { run } from './command.js';
import type { EtcdCache } from './etcd-cache.js';
import { type EtcdProgram, isVersion } from './etcd-program.js';

/** Options of a fetcher. */
export interface FetchOptions {
  readonly program: EtcdProgram;
  /** `major.minor` */
  readonly version: string;
  readonly cache: EtcdCache;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

/**
 * Unpacks the newest package of a version that the distribution's mirrors offer and that runs on this machine. Lists,
 * downloads and state are kept in a temporary folder: nothing is installed, no root access is needed, and the system's
 * apt state is neither read nor changed.
 */
export async function fetchFromApt({
  program: { name, aptPackage },
  version,
  cache,
  env,
  log,
}: FetchOptions): Promise<{ path: string; version: string }> {
  if (process.platform !== 'linux') throw new Error('apt-get exists only on Debian and Ubuntu');
  await run('apt-get', ['--version'], { env });
  const sources = await etcdSources();
  return cache.withWorkspace(async (folder) => {
    const apt = await aptIn(folder, sources, env);
    log(`fetching ${name} ${version} with apt-get into ${cache.directory}`);
    // The update fails for suites that the mirror lacks or the keyring does not cover. The other suites are listed.
    const updateError = await apt('apt-get', 'update').then(
      () => undefined,
      (error: unknown) => error,
    );
    const candidates = newestFirst(await apt('apt-cache', 'madison', aptPackage), version);
    if (candidates.length === 0)
      throw new Error(`the mirrors list no ${aptPackage} ${version}`, { cause: updateError });
    return firstThatSucceeds(candidates, async (candidate, index) => {
      const unpacked = join(folder, `unpacked-${index}`);
      await mkdir(unpacked);
      await apt('apt-get', 'download', `${aptPackage}=${candidate}`);
      const archive = (await readdir(folder)).find(
        (file) => file.endsWith('.deb') && file.includes(escaped(candidate)),
      );
      if (archive === undefined) throw new Error(`apt-get download did not save the package ${candidate}`);
      await run('dpkg', ['-x', join(folder, archive), unpacked], { env });
      return cache.put(join(unpacked, 'usr/bin', name), env);
    });
  });
}

/** Parses `name | version | archive` lines of `apt-cache madison`. Debian versions end in a revision: `3.5.16-4`. */
export function newestFirst(madison: string, version: string): string[] {
  const versions = madison.split('\n').flatMap((line) => line.split('|')[1]?.trim() ?? []);
  return [...new Set(versions)]
    .filter((candidate) => isVersion(candidate, version))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
}

async function firstThatSucceeds<T>(
  candidates: readonly string[],
  attempt: (candidate: string, index: number) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const [index, candidate] of candidates.entries()) {
    try {
      return await attempt(candidate, index);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

async function aptIn(
  folder: string,
  sources: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<(program: 'apt-get' | 'apt-cache', ...args: string[]) => Promise<string>> {
  const configuration = join(folder, 'apt.conf');
  await mkdir(join(folder, 'state/lists/partial'), { recursive: true });
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
  await writeFile(join(folder, 'state/status'), '');
  await writeFile(join(folder, 'sources.list'), sources.map((line) => `${line}\n`).join(''));
  await writeFile(configuration, aptConfiguration(folder));
  // -c, because only a file can clear the hooks that a distribution or an image runs after an update.
  return (program, ...args) =>
    run(program, ['-q', '-c', configuration, ...args], { env: { ...env, LC_ALL: 'C' }, cwd: folder });
}

function aptConfiguration(folder: string): string {
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    `Dir::State "${folder}/state";`,
    `Dir::State::lists "${folder}/state/lists";`,
    `Dir::State::status "${folder}/state/status";`,
    `Dir::Cache "${folder}/cache";`,
    `Dir::Cache::archives "${folder}/cache/archives";`,
    `Dir::Log "${folder}";`,
    `Dir::Etc::sourcelist "${folder}/sources.list";`,
    'Dir::Etc::sourceparts "-";',
    'APT::Sandbox::User "";',
    'APT::Get::AllowUnauthenticated "false";',
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    '',
  ].join('\n');
}

/** apt writes the colon of an epoch as `%3a` in file names. */
function escaped(version: string): string {
  return version.replaceAll(':', '%3a');
}
