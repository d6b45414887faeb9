import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Which folders of lib a folder may import from; `.` is the files beside the folders. */
const DIRECTION: Readonly<Record<string, readonly string[]>> = {
  watch: ['watch'],
  etcd: ['etcd', 'watch'],
  dto: ['dto'],
  store: ['store', 'watch', 'dto'],
  handlers: ['handlers', 'watch', 'dto'],
  testing: ['testing', 'watch', '.'],
  telemetry: ['telemetry', 'watch'],
  terminus: ['terminus', '.'],
  '.': ['.', 'etcd', 'watch', 'dto', 'store', 'handlers', 'telemetry'],
};

const FILES = (readdirSync('lib', { recursive: true }) as string[]).filter((file) => file.endsWith('.ts'));
const folderOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : '.');
const importsOf = (file: string): string[] =>
  Array.from(
    readFileSync(join('lib', file), 'utf8').matchAll(/^(?:import|export)[^;]*?from '([^']+)'/gm),
    ([, from = '']) => from,
  );

describe('the imports of lib', () => {
  it('point one way', () => {
    const wrong = FILES.flatMap((file) =>
      importsOf(file)
        .filter((from) => from.startsWith('.'))
        .map((from) => normalize(join(dirname(file), from)))
        .filter(
          (target) => target !== 'etcd-trigger.errors.js' && !DIRECTION[folderOf(file)]?.includes(folderOf(target)),
        )
        .map((target) => `${file} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('name etcd3 and gRPC only in lib/etcd', () => {
    const speakers = FILES.filter((file) =>
      importsOf(file).some((from) => from === 'etcd3' || from.startsWith('@grpc/')),
    );
    expect(new Set(speakers.map(folderOf))).toEqual(new Set(['etcd']));
  });

  it('take Nest from package roots only', () => {
    const deep = FILES.flatMap((file) => importsOf(file).filter((from) => /^@nestjs\/[^/]+\//.test(from)));
    expect(deep).toEqual([]);
  });
});
