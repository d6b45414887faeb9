import { describe, expect, it } from 'vitest';
import { KeyRange } from '../../../lib/backend/key-range.js';
import { rawKeyOf } from '../../../lib/backend/key-record.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { NeighbourLog } from '../../../lib/watch/sharing/neighbour-log.js';
import { CollectingLogger } from '../../support/collecting-logger.js';

/** Returns the warnings for the keys of a first list, as the application sees them. */
function warningsOf(target: KeyRange, keys: readonly string[], keyPrefix = ''): string[] {
  const logger = new CollectingLogger();
  const log = new NeighbourLog(new InstanceLog(logger, { serviceName: 'test', podName: 'test' }), keyPrefix);
  log.watched(target);
  log.listed(target, keys.map(rawKeyOf));
  return logger.lines.map(({ text }) => text.replace(/ \[.*$/, ''));
}
const prefix = (name: string): KeyRange => KeyRange.of({ prefix: name });
const key = (name: string): KeyRange => KeyRange.of({ key: name });

describe('a prefix without a separator at its end', () => {
  it('is reported if it also covers the keys below a neighbour', () => {
    expect(warningsOf(prefix('/tenant-1'), ['/tenant-1/a', '/tenant-10/a', '/tenant-11/a'])).toEqual([
      'prefix "/tenant-1" also covers "/tenant-10/a": use the prefix "/tenant-1/" if only the keys below it are meant',
    ]);
  });

  it.each<[string, readonly string[], string]>([
    ['/tenant-1', ['/tenant-10/a'], '/tenant-10/a'],
    ['/tenant-1', ['/tenant-1-old/a'], '/tenant-1-old/a'],
    ['/db', ['/db/a', '/db2'], '/db2'],
    ['/db', ['/db2', '/db/a'], '/db2'],
    ['/straße', ['/straßen/a'], '/straßen/a'],
    ['db', ['db.a', 'db2.a'], 'db2.a'],
  ])('%j is reported for the keys %j', (name, keys, neighbour) => {
    expect(warningsOf(prefix(name), keys)).toEqual([expect.stringContaining(`also covers "${neighbour}"`)]);
  });

  it.each<[string, readonly string[]]>([
    ['/tenant-1', ['/tenant-1/a', '/tenant-1/b', '/tenant-1']],
    ['/tenant-1', []],
    ['/db', ['/db1', '/db2']],
    ['/node-', ['/node-1/a', '/node-2/a']],
    ['/tenants/', ['/tenants/1/a', '/tenants/10/a']],
    ['', ['/a', 'b']],
  ])('%j is not reported for the keys %j', (name, keys) => {
    expect(warningsOf(prefix(name), keys)).toEqual([]);
  });
});

describe('a keyPrefix without a separator at its end', () => {
  it('is reported if the prefix of every key covers a neighbour', () => {
    expect(warningsOf(prefix(''), ['/a', '0/a'], '/tenant-1')).toEqual([
      'prefix "" also covers "/tenant-10/a": use the prefix "/" if only the keys below it are meant',
    ]);
  });

  it('is reported if a key or a prefix continues its last name', () => {
    expect([
      ...warningsOf(key('limits'), [], '/tenant-1'),
      ...warningsOf(prefix('limits/'), ['limits/a'], '/tenant-1'),
    ]).toEqual([
      'key "limits" is "/tenant-1limits" in etcd, because "keyPrefix" does not end with a separator: begin the key with one, such as "/"',
      'prefix "limits/" is "/tenant-1limits/" in etcd, because "keyPrefix" does not end with a separator: begin the prefix with one, such as "/"',
    ]);
  });

  it.each<[string, KeyRange, readonly string[]]>([
    ['/tenant-1', prefix('/limits/'), ['/limits/a']],
    ['/tenant-1', prefix(''), ['/a', '/b']],
    ['/tenant-1/', prefix('limits/'), ['limits/a']],
    ['/tenant-1/', prefix(''), ['limits/a']],
    ['', key('limits'), []],
  ])('%j is not reported for %s', (keyPrefix, target, keys) => {
    expect(warningsOf(target, keys, keyPrefix)).toEqual([]);
  });
});
