import { access, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Suites to search besides the machine's own. etcd's binaries need only an old libc, and each binary is run once before
 * it is kept.
 */
const ADDITIONAL_SUITES: Readonly<Record<string, readonly string[]>> = {
  debian: ['bookworm', 'trixie', 'testing', 'sid'],
  ubuntu: ['devel'],
};
const COMPONENTS: Readonly<Record<string, string>> = { debian: 'main', ubuntu: 'universe' };

/** One source in apt's configuration. */
export interface AptEntry {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/**
 * Returns the lines of a sources.list that searches this machine's mirrors in every suite that may have etcd. apt
 * accepts only packages signed by the distribution's own keyring, so third-party archives are ignored.
 */
export async function etcdSources(root = '/'): Promise<string[]> {
  const id = /^ID="?(\w+)/m.exec(await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => ''))?.[1] ?? '';
  const component = COMPONENTS[id];
  if (component === undefined) throw new Error('this system is neither Debian nor Ubuntu');
  const keyring = await keyringOf(id, root);
  const entries = (await readEntries(root)).filter(
    ({ uris, components }) => components.includes(component) && !uris.some((uri) => uri.includes('security')),
  );
  const lines = entries.flatMap(({ uris, suites }) =>
    uris.flatMap((uri) =>
      [...suites.filter((suite) => !/-|\/$/.test(suite)), ...(ADDITIONAL_SUITES[id] ?? [])].map(
        (suite) => `deb [signed-by=${keyring} target=Packages] ${uri.replace(/\/+$/, '')} ${suite} ${component}`,
      ),
    ),
  );
  if (lines.length === 0) throw new Error('the apt sources contain no archive of this distribution');
  return [...new Set(lines)];
}

/** Parses both formats: one-line entries (`*.list`) and deb822 stanzas (`*.sources`). */
export function parseSources(text: string, format: 'list' | 'sources'): AptEntry[] {
  return format === 'list' ? parseLines(text) : parseParagraphs(text);
}

function parseLines(text: string): AptEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    const [, uri, suite, components = ''] = match ?? [];
    if (uri === undefined || suite === undefined) return [];
    return [{ uris: [uri], suites: [suite], components: words(components) }];
  });
}

function parseParagraphs(text: string): AptEntry[] {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((paragraph) => {
    const field = (name: string): string[] =>
      words(new RegExp(`^${name}:((?:.*\\n[ \\t]+.*)*.*)`, 'im').exec(paragraph)?.[1] ?? '');
    if (!field('Types').includes('deb') || field('Enabled')[0] === 'no') return [];
    return [{ uris: field('URIs'), suites: field('Suites'), components: field('Components') }];
  });
}

async function readEntries(root: string): Promise<AptEntry[]> {
  const sourcesFolder = join(root, 'etc/apt/sources.list.d');
  const files = [
    join(root, 'etc/apt/sources.list'),
    ...(await readdir(sourcesFolder).catch(() => [])).map((name) => join(sourcesFolder, name)),
  ];
  const entries: AptEntry[] = [];
  for (const file of files) {
    const format = file.endsWith('.list') ? 'list' : file.endsWith('.sources') ? 'sources' : undefined;
    if (format) entries.push(...parseSources(await readFile(file, 'utf8').catch(() => ''), format));
  }
  return entries;
}

async function keyringOf(id: string, root: string): Promise<string> {
  for (const suffix of ['gpg', 'pgp']) {
    const path = join(root, `usr/share/keyrings/${id}-archive-keyring.${suffix}`);
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists) return path;
  }
  throw new Error(`the keyring of ${id} is not installed, and unsigned packages are not used`);
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}
