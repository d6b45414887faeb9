import { InvalidConfigError, type StoreService, WatchKey } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { BAD_NOTE, GOOD_NOTE, HOSTILE_SCHEMAS, type HostileSchema, SECRET } from './hostile-schemas.js';

const MAX_LINE = 2_000;

describe('schemas that answer as no schema should', () => {
  const etcd = ownEtcd();
  const writeAll = (value: object) =>
    etcd.putTogether(Object.fromEntries(HOSTILE_SCHEMAS.map(({ prefix }) => [`${prefix}a`, value])));

  const start = (logger: CollectingLogger) =>
    startApp({
      hosts: etcd.hosts,
      configs: HOSTILE_SCHEMAS.map(({ prefix, schema }) => ({ prefix, schema })),
      logger,
    });

  const shown = (store: StoreService) =>
    HOSTILE_SCHEMAS.map(({ name, prefix, schema }) => {
      const { value, violations } = store.entry(`${prefix}a`, schema);
      return [name, value, violations && constraintsOf(violations)];
    });
  const rejectedWith = (value: unknown) => HOSTILE_SCHEMAS.map(({ name, constraints }) => [name, value, constraints]);
  const accepted = HOSTILE_SCHEMAS.map(({ name }) => [name, GOOD_NOTE, undefined]);

  it('reject values of the initial list, and show the next good value', async () => {
    const log = new CollectingLogger();
    await writeAll(BAD_NOTE);
    await using app = await start(log);
    const before = shown(app.store);
    await app.store.waitForRevision(await writeAll(GOOD_NOTE));

    expect(before).toEqual(rejectedWith(undefined));
    expect(shown(app.store)).toEqual(accepted);
    expectHarmless(log);
  });

  it('keep the last good value when a live one is bad', async () => {
    const log = new CollectingLogger();
    await writeAll(GOOD_NOTE);
    await using app = await start(log);
    await app.store.waitForRevision(await writeAll(BAD_NOTE));
    const during = shown(app.store);
    await app.store.waitForRevision(await writeAll(GOOD_NOTE));

    expect(during).toEqual(rejectedWith(GOOD_NOTE));
    expect(shown(app.store)).toEqual(accepted);
    expectHarmless(log);
  });

  it('refuse writes with one typed error, and report values of the history', async () => {
    const log = new CollectingLogger();
    await using app = await start(log);
    const { store } = app;
    await store.waitForRevision(await writeAll(BAD_NOTE));

    const outcomes = async ({ name, prefix, schema, constraints }: HostileSchema) => {
      const key = `${prefix}a`;
      const writes = [
        store.put(key, schema, BAD_NOTE),
        store.update(key, schema, () => BAD_NOTE),
        store.transaction((tx) => {
          tx.put(key, schema, BAD_NOTE);
        }),
      ];
      for (const result of await Promise.allSettled(writes)) {
        const reason: unknown = (result as PromiseRejectedResult).reason;
        expect(reason, name).toBeInstanceOf(InvalidConfigError);
        expect(constraintsOf((reason as InvalidConfigError).violations), name).toBe(constraints);
        expect(String((reason as Error).stack), name).not.toContain(SECRET);
        expect((reason as Error).message.length, name).toBeLessThan(MAX_LINE);
      }
      const [newest] = await store.history(key, { type: schema, limit: 1 });
      expect(newest?.violations && constraintsOf(newest.violations), name).toBe(constraints);
      await store.put(key, schema, GOOD_NOTE);
    };
    for (const hostile of HOSTILE_SCHEMAS) await outcomes(hostile);

    expect(shown(store)).toEqual(accepted);
    expectHarmless(log);
  });

  it('do not have handlers called with what they reject', async () => {
    const log = new CollectingLogger();
    const seen: unknown[] = [];
    class Handlers {
      onNote(note: unknown) {
        seen.push(note);
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, 'onNote') as TypedPropertyDescriptor<
      (note: unknown) => void
    >;
    for (const { prefix, schema } of HOSTILE_SCHEMAS) {
      WatchKey(prefix, { schema })(Handlers.prototype, 'onNote', descriptor);
    }
    await writeAll(BAD_NOTE);
    await using app = await startApp({ hosts: etcd.hosts, logger: log }, { providers: [Handlers] });
    await writeAll(GOOD_NOTE);
    await eventually(() => seen.length === HOSTILE_SCHEMAS.length);

    expect(seen).toEqual(HOSTILE_SCHEMAS.map(() => GOOD_NOTE));
    expect(app.store.status).toBe('ready');
    expectHarmless(log);
  });
});

const constraintsOf = (violations: InvalidConfigError['violations']): string =>
  [...new Set(violations.flatMap(({ constraints }) => constraints))].sort().join();

/** Expects lines that contain no value, and are short. */
function expectHarmless(log: CollectingLogger): void {
  expect(log.lines.length).toBeGreaterThan(0);
  expect(log.text).not.toContain(SECRET);
  expect(log.lines.filter(({ text }) => text.length > MAX_LINE || text.includes('\n'))).toEqual([]);
}
