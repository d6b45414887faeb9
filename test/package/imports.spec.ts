import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The folders, or single files, of lib that the files of a folder may import from; sub-folders are listed separately. */
const DIRECTION: Readonly<Record<string, readonly string[]>> = {
  '.': ['backend'],
  timing: ['collections'],
  collections: [],
  foreign: [],
  backend: ['timing'],
  etcd: ['backend', 'timing', 'etcd/codec', 'etcd/connection', 'etcd/transport', 'etcd/watch'],
  'etcd/codec': ['backend'],
  'etcd/connection': ['backend', 'timing', 'etcd/codec', 'etcd/transport'],
  'etcd/watch': ['backend', 'timing', 'etcd/codec', 'etcd/connection', 'etcd/transport'],
  'etcd/transport': [],
  watch: ['backend', 'timing', 'watch/delivery', 'watch/sharing', 'watch/stream'],
  'watch/delivery': ['backend', 'timing', 'collections', 'watch/sharing', 'watch/stream'],
  'watch/sharing': ['backend', 'timing', 'watch/stream'],
  'watch/stream': ['backend', 'timing'],
  dto: ['timing', 'dto/formats', 'dto/references', 'dto/secrets'],
  'dto/env': ['dto'],
  'dto/references': ['timing', 'dto'],
  'dto/secrets': ['dto'],
  'dto/formats': ['timing', 'dto'],
  store: [
    'backend',
    'collections',
    'dto',
    'store/audit',
    'store/cache',
    'store/changes',
    'store/definitions',
    'store/joint',
    'store/layers',
    'store/snapshot',
    'store/writing',
    'timing',
    'watch/delivery',
    'watch/sharing',
  ],
  'store/joint': ['backend', 'collections', 'store/cache', 'timing', 'watch/sharing'],
  'store/audit': ['backend', 'dto', 'dto/formats', 'store/layers'],
  'store/writing': [
    'backend',
    'timing',
    'dto',
    'dto/secrets',
    'store/audit',
    'store/cache',
    'store/definitions',
    'store/layers',
  ],
  'store/layers': [
    'backend',
    'timing',
    'dto',
    'dto/env',
    'dto/formats',
    'store/cache',
    'store/definitions',
    'watch/sharing',
    'watch/stream',
  ],
  'store/snapshot': ['collections', 'timing', 'dto', 'store/cache'],
  'store/cache': [
    'backend',
    'timing',
    'collections',
    'dto',
    'dto/formats',
    'dto/references',
    'store/changes',
    'store/definitions',
    'watch/sharing',
    'watch/stream',
  ],
  'store/changes': ['timing', 'collections', 'dto', 'dto/formats', 'store/definitions', 'watch/delivery'],
  'store/definitions': ['collections', 'dto', 'dto/env', 'dto/formats', 'dto/references'],
  handlers: [
    'backend',
    'coordination/groups/group-options',
    'coordination/cron-tick',
    'dto',
    'handlers/decorators',
    'handlers/enhancers',
    'watch',
    'watch/delivery',
    'watch/sharing',
  ],
  'handlers/decorators': [
    'backend',
    'coordination/groups/group-options',
    'coordination/cron-tick',
    'dto',
    'handlers/nest-metadata',
    'watch',
    'watch/delivery',
  ],
  'handlers/enhancers': [
    'handlers/decorated-method',
    'handlers/decorators',
    'handlers/etcd-trigger.context',
    'handlers/nest-metadata',
    'watch/delivery',
  ],
  coordination: ['backend', 'coordination/groups', 'dto', 'timing', 'watch/delivery', 'watch/sharing', 'watch/stream'],
  'coordination/groups': [
    'backend',
    'collections',
    'coordination',
    'timing',
    'watch/delivery',
    'watch/sharing',
    'watch/stream',
  ],
  live: ['store/changes', 'timing', 'watch/delivery'],
  telemetry: ['backend', 'coordination', 'timing', 'watch/sharing'],
  module: ['*'],
  cli: ['*'],
  'cli/commands': ['*'],
  console: ['*'],
  terminus: ['module'],
  testing: ['backend', 'module', 'testing/etcd', 'testing/fake'],
  'testing/etcd': ['testing'],
  'testing/fake': [
    'backend',
    'module',
    'testing/argument-checks',
    'testing/etcd-testing.errors',
    'testing/settling-application',
    'watch',
  ],
};

/** Files that import nothing but errors and types of the public API: every folder may import them. */
const LEAVES = [
  'config-origin',
  'config-transaction',
  'counted',
  'dto/standard-schema',
  'etcd-trigger.errors',
  'etcd-trigger.inspect',
  'etcd-trigger.log',
  'foreign/class-name',
  'foreign/foreign-error',
  'foreign/foreign-text',
  'foreign/optional-package',
  'foreign/thenable',
  'option-checks',
  'watch/watch-event',
];

const FILES = (readdirSync('lib', { recursive: true }) as string[])
  .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
  .sort();
const importsOf = (file: string): string[] =>
  Array.from(
    readFileSync(join('lib', file), 'utf8').matchAll(/^(?:import|export)[^;]*?from '([^']+)'/gm),
    ([, from = '']) => from,
  );

/** Returns the imported files of lib, with the ending of their sources. */
const relativeImportsOf = (file: string): string[] =>
  importsOf(file)
    .filter((from) => from.startsWith('.'))
    .map((from) => normalize(join(dirname(file), from)).replace(/\.js$/, '.ts'));

describe('the imports of lib', () => {
  it('point in one direction', () => {
    const wrong = FILES.flatMap((file) =>
      relativeImportsOf(file)
        .map((target) => target.replace(/\.ts$/, ''))
        .filter((target) => !LEAVES.includes(target) && !mayImport(dirname(file), target))
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('form no circles, type imports included', () => {
    expect(circlesIn(new Map(FILES.map((file) => [file, relativeImportsOf(file)])))).toEqual([]);
  });

  it('use etcd3 and gRPC only in lib/etcd', () => {
    const grpcUsers = FILES.filter((file) =>
      importsOf(file).some((from) => from === 'etcd3' || from.startsWith('@grpc/')),
    );
    expect(new Set(grpcUsers.map((file) => file.split('/')[0]))).toEqual(new Set(['etcd']));
  });

  it('use Nest only from package roots', () => {
    const deep = FILES.flatMap((file) => importsOf(file).filter((from) => /^@nestjs\/[^/]+\//.test(from)));
    expect(deep).toEqual([]);
  });
});

function mayImport(folder: string, target: string): boolean {
  const allowed = DIRECTION[folder] ?? [];
  const targetFolder = dirname(target);
  if (folder === targetFolder || allowed.includes(targetFolder) || allowed.includes(target)) return true;
  return allowed.includes('*') && targetFolder !== '.';
}

/** Returns the files that are left when files without imports of remaining files are removed repeatedly. */
function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const remaining = new Map(imports);
  for (let size = Infinity; remaining.size < size;) {
    size = remaining.size;
    for (const [file, targets] of remaining) {
      if (!targets.some((target) => remaining.has(target))) remaining.delete(file);
    }
  }
  return [...remaining.keys()];
}
