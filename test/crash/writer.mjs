// Writes one snapshot after the other until it is killed, and says each number once its snapshot is safe. Usage: node writer.mjs FILE FIRST [KEY]
import { SnapshotFile } from '../../dist/store/snapshot-file.js';

const [path, first, hexKey] = process.argv.slice(2);
const file = new SnapshotFile(path, hexKey && Buffer.from(hexKey, 'hex'));

for (let number = Number(first); ; number += 1) {
  const documents = Array.from({ length: 1 + (number % 400) }, (_, index) => ({
    key: `/crash/${index}`,
    revision: number,
    bytes: Buffer.alloc(200, String(number % 10)),
  }));
  await file.write({ clusterId: '1', cluster: 'default', keyPrefix: '', asOf: number, definitions: [], documents });
  process.stdout.write(`${number}\n`);
}
