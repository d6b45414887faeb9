import { IsInt } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { resolveDefinition } from '../../../lib/store/definitions/resolved-definition.js';
import { DefinitionFeed, type FeedSink } from '../../../lib/store/cache/definition-feed.js';
import { InitialBatch } from '../../../lib/watch/stream/change-event.js';
import type { KeyRecord } from '../../../lib/backend/key-record.js';

class Limit {
  @IsInt() readonly n!: number;
}

const nobody: FeedSink = {
  reports: {
    unnamed: () => undefined,
    stripped: () => undefined,
    parserFailed: () => undefined,
    failed: () => undefined,
    recovered: () => undefined,
  },
  hasListeners: false,
  updated: () => undefined,
  caughtUp: () => undefined,
  interrupted: () => undefined,
  following: () => undefined,
  references: () => undefined,
};

const written = (rawKey: string, revision: number, n: number): KeyRecord => ({
  rawKey: rawKey,
  value: Buffer.from(JSON.stringify({ n })),
  revision,
  createRevision: revision,
  version: 1,
  lease: undefined,
});

/** A feed that counts the documents that it reads. */
class Feed {
  read = 0;
  readonly #feed = new DefinitionFeed(
    resolveDefinition({
      prefix: '/',
      type: Limit,
      codec: {
        decode: (bytes) => {
          this.read += 1;
          return JSON.parse(bytes.toString()) as object;
        },
        encode: (document) => Buffer.from(JSON.stringify(document)),
      },
    }),
    (key) => !key.startsWith('/other/'),
    new Map(),
    nobody,
  );

  onPage(...records: KeyRecord[]): void {
    this.#feed.onPage(records);
  }

  listed(...records: KeyRecord[]): void {
    this.#feed.deliver(new InitialBatch(9, records));
  }

  breakOff(): void {
    this.#feed.interrupted();
  }

  get shown(): Record<string, number> {
    const entries = this.#feed.cache.entries() as ReadonlyMap<string, Limit>;
    return Object.fromEntries([...entries].map(([key, { n }]) => [key, n]));
  }
}

describe('the first list of a definition', () => {
  const [a, b, c] = [written('/a', 1, 1), written('/b', 2, 2), written('/c', 3, 3)];
  const other = written('/other/x', 2, 7);

  it('is parsed page by page, each document once, and becomes visible as a whole', () => {
    const feed = new Feed();

    feed.onPage(a, b);
    feed.onPage(c, other);
    const beforeDelivery = feed.shown;
    feed.listed(a, b, c, other);

    expect(beforeDelivery).toEqual({});
    expect(feed.shown).toEqual({ '/a': 1, '/b': 2, '/c': 3 });
    expect(feed.read).toBe(3);
  });

  it('ignores the pages of a failed list', () => {
    const feed = new Feed();

    feed.onPage(a, b);
    feed.breakOff();
    feed.onPage(written('/a', 1, 10));
    feed.listed(written('/a', 1, 10), c);

    expect(feed.shown).toEqual({ '/a': 10, '/c': 3 });
  });

  it.each([
    ['its first page was missed', [b, c]],
    ['it was read twice', [a, b, a, b, c]],
    ['keys were written in between', [a, written('/b', 1, 20), c]],
  ])('is complete if %s', (_, arrived) => {
    const feed = new Feed();

    feed.onPage(...arrived);
    feed.listed(a, b, c);

    expect(feed.shown).toEqual({ '/a': 1, '/b': 2, '/c': 3 });
  });
});
