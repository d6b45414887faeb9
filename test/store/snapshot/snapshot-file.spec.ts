import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SnapshotFile } from '../../../lib/store/snapshot/snapshot-file.js';

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
});
