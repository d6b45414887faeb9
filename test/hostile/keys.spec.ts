import { IsInt } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { EtcdTriggerInspector } from 'nestjs-etcd-trigger';
import { CollectingLogger } from '../support/collecting-logger.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

class Limit {
  @IsInt() n!: number;
}

const NAMES = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', 'length', '0', '-1'],
  ...[
    '',
    '/',
    '..',
    '../../etc/passwd',
    ' ',
    '\0',
    '\n',
    '\r\nlevel=error forged',
    '\t',
    '\u001b[2J\u001b[31m',
    '\u007f',
  ],
  ...['\u0085\u009b', '\u00a0', '\u2028\u2029', '\u202e\u2066', '\ufeff', '\ufffd', '\u{1f600}', 'e\u0301', '\u00e9'],
  ...['"', "'", '\\', '`', '${n}', '%s %o %j', '{}', '<script>', 'a'.repeat(100_000), '\u{10ffff}'.repeat(1_000)],
];

/** Control characters, line and paragraph separators, marks of writing direction, byte order mark. */
const RAW = /[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u;

describe('keys of unusual names', () => {
  const etcd = ownEtcd();
  const prefix = '/limits/';
  const keys = NAMES.map((name) => prefix + name);
  const putAll = (n: unknown): Promise<number> => etcd.putTogether(Object.fromEntries(keys.map((key) => [key, { n }])));

  it('are configurations like any others, at startup, live and in writes', async () => {
    await putAll(1);
    await using started = await startApp({ hosts: etcd.hosts, configs: [{ prefix, type: Limit }] });
    const { store } = started;
    const shown = (): unknown[] => keys.map((key) => store.get(key, Limit)?.n);

    expect(shown()).toEqual(keys.map(() => 1));
    await store.waitForRevision(await putAll(2));
    expect(shown()).toEqual(keys.map(() => 2));
    for (const key of keys) await store.update(key, Limit, (limit) => ({ n: (limit?.n ?? 0) + 1 }));
    expect(shown()).toEqual(keys.map(() => 3));
    expect(new Set(store.keys(prefix))).toEqual(new Set(keys));
    expect({}).not.toHaveProperty('n');
  });

  it('reach no log line and no description as they are', async () => {
    const logger = new CollectingLogger();
    await using started = await startApp({ hosts: etcd.hosts, configs: [{ prefix, type: Limit }], logger });
    const { app, store } = started;
    await store.waitForRevision(await putAll('x'));
    await store.waitForRevision(await putAll(1));

    const descriptions = JSON.stringify(app.get(EtcdTriggerInspector).describe());
    expect(logger.lines.length).toBeGreaterThan(NAMES.length);
    expect(logger.lines.filter(({ text }) => RAW.test(text) || text.includes('\n') || text.length > 2_000)).toEqual([]);
    expect(RAW.test(descriptions)).toBe(false);
    expect(descriptions.length).toBeLessThan(100_000);
  });
});
