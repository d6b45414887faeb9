import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_SNAPSHOT_BYTES, SnapshotFile } from '../../../lib/store/snapshot/snapshot-file.js';

const CONTENT = { clusterId: '1', cluster: 'default', keyPrefix: '', asOf: 1, definitions: [], documents: [] };

describe('the file of a snapshot', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'snapshot-file-'));
    path = join(folder, 'deep', 'app.snapshot');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is unchanged if the disk becomes full during a write, and no temporary file remains', () => {
    const output = execFileSync('sh', [
      '-c',
      'ulimit -f 64; exec "$0" test/fixtures/full-disk.mjs "$1"',
      process.execPath,
      path,
    ]);

    expect(output.toString().trim().split('\n')).toEqual([
      'written, contains 10',
      'EFBIG, contains 10',
      'written, contains 20',
    ]);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['app.snapshot']);
  });

  it('reads as undefined if it does not exist, and creates its folder', async () => {
    const file = new SnapshotFile(path);

    expect(await file.read()).toBeUndefined();
    await file.write(CONTENT);

    expect(await file.read()).toEqual(CONTENT);
  });

  it('removes temporary files of crashed processes, but not recent ones', async () => {
    const file = new SnapshotFile(path);
    await file.write(CONTENT);
    for (const name of ['old', 'new']) writeFileSync(`${path}.${name}.tmp`, '');
    utimesSync(`${path}.old.tmp`, 0, 0);

    await file.write(CONTENT);

    expect(readdirSync(join(folder, 'deep')).sort()).toEqual(['app.snapshot', 'app.snapshot.new.tmp']);
  });

  it.each<[string, (path: string) => unknown, string]>([
    ['a named pipe', (at) => execFileSync('mkfifo', [at]), 'is not a regular file'],
    [
      'a folder',
      (at) => {
        mkdirSync(at);
      },
      'is not a regular file',
    ],
    [
      'a device',
      (at) => {
        symlinkSync('/dev/zero', at);
      },
      'is not a regular file',
    ],
    [
      'a link to itself',
      (at) => {
        symlinkSync(at, at);
      },
      'ELOOP',
    ],
    [
      'a file without end',
      (at) => {
        sparseFile(at, MAX_SNAPSHOT_BYTES + 1);
      },
      'more than 268435456',
    ],
    [
      'an empty file',
      (at) => {
        sparseFile(at, 0);
      },
      'is not a snapshot or is damaged',
    ],
  ])('is not read if it is %s', async (_, create, reason) => {
    mkdirSync(dirname(path));
    create(path);

    await expect(new SnapshotFile(path).read()).rejects.toThrow(reason);
  });

  it('is not read if it is a socket', async () => {
    mkdirSync(dirname(path));
    await using server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));

    await expect(new SnapshotFile(path).read()).rejects.toThrow('ENXIO');
  });

  it('replaces a named pipe at its path, and skips what it cannot remove', async () => {
    mkdirSync(dirname(path));
    execFileSync('mkfifo', [path]);
    mkdirSync(`${path}.old.tmp`);
    utimesSync(`${path}.old.tmp`, 0, 0);

    await new SnapshotFile(path).write(CONTENT);

    expect(await new SnapshotFile(path).read()).toEqual(CONTENT);
  });

  it('is not written beyond the size that is read', async () => {
    const bytes = Buffer.alloc(MAX_SNAPSHOT_BYTES / 8);
    const documents = Array.from({ length: 7 }, () => ({ key: '/a', revision: 1, bytes }));

    await expect(new SnapshotFile(path).write({ ...CONTENT, documents })).rejects.toMatchObject({ code: 'EFBIG' });

    expect(readdirSync(dirname(path))).toEqual([]);
  });
});

function sparseFile(path: string, size: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
}
