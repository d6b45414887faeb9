import { access, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Suites to search besides the machine's own. A release's binaries need only an old libc, and each is tried before it is kept. */
const MORE_SUITES: Readonly<Record<string, readonly string[]>> = {
  debian: ['bookworm', 'trixie', 'testing', 'sid'],
  ubuntu: ['devel'],
};
const COMPONENTS: Readonly<Record<string, string>> = { debian: 'main', ubuntu: 'universe' };

/** One entry of apt's configuration. */
export interface AptEntry {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/**
 * The lines of a sources.list that searches the mirrors of this machine in all suites that may have etcd. Only what the distribution's own
 * keyring signed is accepted; a third party's archive fails that and drops out.
 */
export async function etcdSources(root = '/'): Promise<string[]> {
  const id = /^ID="?(\w+)/m.exec(await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => ''))?.[1] ?? '';
  const component = COMPONENTS[id];
  if (component === undefined) throw new Error('this is neither Debian nor Ubuntu');
  const keyring = await keyringOf(id, root);
  const entries = (await readEntries(root)).filter(
    ({ uris, components }) => components.includes(component) && !uris.some((uri) => uri.includes('security')),
  );
  const lines = entries.flatMap(({ uris, suites }) =>
    uris.flatMap((uri) =>
      [...suites.filter((suite) => !/-|\/$/.test(suite)), ...(MORE_SUITES[id] ?? [])].map(
        (suite) => `deb [signed-by=${keyring} target=Packages] ${uri.replace(/\/+$/, '')} ${suite} ${component}`,
      ),
    ),
  );
  if (lines.length === 0) throw new Error('the sources of apt name no archive of this distribution');
  return [...new Set(lines)];
}

/** Reads both formats: lines (`*.list`) and paragraphs (`*.sources`). */
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
  const parts = join(root, 'etc/apt/sources.list.d');
  const files = [
    join(root, 'etc/apt/sources.list'),
    ...(await readdir(parts).catch(() => [])).map((name) => join(parts, name)),
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
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  throw new Error(`the keyring of ${id} is not on this machine, and unsigned packages are not used`);
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}
