import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from './command.js';
import type { FetchOptions } from './etcd-from-apt.js';
import { fileNameOf } from './etcd-program.js';
import { RELEASE_CHECKSUMS } from './release-checksums.js';

/** Release to fetch for each `major.minor`. */
const RELEASES: Readonly<Record<string, string>> = { '3.4': '3.4.34', '3.5': '3.5.21' };
const DOWNLOAD_BASE = 'https://github.com/etcd-io/etcd/releases/download';
const CHECKSUMS_TIMEOUT_MS = 20_000;
const ARCHIVE_TIMEOUT_MS = 300_000;

/**
 * Downloads the official release for this platform and unpacks it if its checksum matches. The checksum never comes from
 * a mirror: it is `ETCD_DOWNLOAD_SHA256`, or in this package, or in the `SHA256SUMS` of the official release.
 */
export async function fetchFromRelease({
  program,
  version,
  cache,
  env,
  log,
}: FetchOptions): Promise<{ path: string; version: string }> {
  const release = RELEASES[version];
  if (release === undefined)
    throw new Error(`there is no known release of ${version}, only of ${Object.keys(RELEASES).join(', ')}`);
  const name = archiveName(release, process.platform, process.arch);
  const file = `${name}.${extension(process.platform)}`;
  const base = `${([env.ETCD_DOWNLOAD_BASE].find(Boolean) ?? DOWNLOAD_BASE).replace(/\/+$/, '')}/v${release}`;
  const expected =
    [env.ETCD_DOWNLOAD_SHA256?.toLowerCase()].find(Boolean) ??
    RELEASE_CHECKSUMS[file] ??
    (await officialChecksum(`${DOWNLOAD_BASE}/v${release}/SHA256SUMS`, file));
  return cache.withWorkspace(async (folder) => {
    const archive = join(folder, file);
    log(`downloading ${base}/${file}`);
    const actual = await download(`${base}/${file}`, archive);
    if (actual !== expected) throw new Error(`the checksum of ${base}/${file} differs from ${expected}`);
    const unpacked = join(folder, 'unpacked');
    await mkdir(unpacked);
    // On macOS and Windows, tar also reads zip files.
    await run('tar', ['--no-same-owner', '-xf', archive, '-C', unpacked], { env });
    return cache.put(join(unpacked, name, fileNameOf(program)), env);
  });
}

/** Returns the name of a release's archive without its extension. The folder in the archive has the same name. */
export function archiveName(release: string, platform: NodeJS.Platform, arch: string): string {
  const system = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[platform as string];
  const processor = { x64: 'amd64', arm64: 'arm64' }[arch];
  if (system === undefined || processor === undefined)
    throw new Error(`etcd has no release for ${platform} on ${arch}`);
  return `etcd-v${release}-${system}-${processor}`;
}

function extension(platform: NodeJS.Platform): 'tar.gz' | 'zip' {
  return platform === 'linux' ? 'tar.gz' : 'zip';
}

async function officialChecksum(url: string, file: string): Promise<string> {
  const checksums = await (await get(url, CHECKSUMS_TIMEOUT_MS)).text();
  const line = checksums.split('\n').find((candidate) => candidate.trim().split(/\s+\*?/)[1] === file);
  const checksum = line?.trim().split(/\s+/)[0]?.toLowerCase();
  if (checksum === undefined || !/^[0-9a-f]{64}$/.test(checksum)) throw new Error(`${url} does not list ${file}`);
  return checksum;
}

async function download(url: string, file: string): Promise<string> {
  const { body } = await get(url, ARCHIVE_TIMEOUT_MS);
  if (body === null) throw new Error(`${url} is empty`);
  const hash = createHash('sha256');
  const hashed = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(Readable.fromWeb(body), hashed, createWriteStream(file)).catch((cause: unknown) => {
    throw new Error(`the download of ${url} was interrupted`, { cause });
  });
  return hash.digest('hex');
}

async function get(url: string, timeoutMs: number): Promise<Response> {
  checkSecure(url);
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).catch((cause: unknown) => {
    throw new Error(`${url} cannot be reached`, { cause });
  });
  // After redirects.
  checkSecure(response.url);
  if (!response.ok) throw new Error(`${url} returned status ${response.status}`);
  return response;
}

/** @throws Error for plain http to another machine */
function checkSecure(url: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname))) return;
  throw new Error(`${url} is not https: set ETCD_DOWNLOAD_BASE to an https address`);
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
