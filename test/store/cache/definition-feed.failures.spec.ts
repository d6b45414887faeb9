import { IsInt, Validate, ValidatorConstraint } from 'class-validator';
import { describe, expect, it } from 'vitest';
import type { KeyRecord } from '../../../lib/backend/key-record.js';
import { DefinitionFeed, type FeedSink } from '../../../lib/store/cache/definition-feed.js';
import { resolveDefinition } from '../../../lib/store/definitions/resolved-definition.js';
import { InitialBatch } from '../../../lib/watch/stream/change-event.js';
import { eventually } from '../../support/eventually.js';

@ValidatorConstraint({ async: true })
class Later {
  validate(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

class Limit {
  @IsInt() readonly n!: number;
}

class SlowLimit {
  @IsInt() @Validate(Later) readonly n!: number;
}

const written = (rawKey: string, revision: number): KeyRecord => ({
  rawKey,
  value: Buffer.from(`{"n":${revision}}`),
  revision,
  createRevision: revision,
  version: 1,
  lease: undefined,
});

function start(type: typeof Limit | typeof SlowLimit) {
  const story: string[] = [];
  const sink: FeedSink = {
    reports: {
      stripped: () => undefined,
      unnamed: () => undefined,
      parserFailed: (key, error) => story.push(`${key}: ${String(error)}`),
      failed: (_, error) => story.push(String(error)),
      recovered: () => story.push('recovered'),
    },
    hasListeners: true,
    updated: (_, { changes }) => story.push(...changes.map(({ key }) => key)),
    caughtUp: () => undefined,
    interrupted: () => undefined,
    following: () => undefined,
    references: () => undefined,
  };
  const feed = new DefinitionFeed(resolveDefinition({ prefix: '/', type }), () => true, new Map(), sink);
  return { feed, story };
}

/** Lets the method throw for the given number of calls. */
function breakMethod<Name extends string>(
  owner: Record<Name, (...args: never[]) => unknown>,
  name: Name,
  times: number,
) {
  const original = owner[name];
  let left = times;
  owner[name] = (...args: never[]) => {
    left -= 1;
    if (left >= 0) throw new RangeError('broken');
    return original.apply(owner, args);
  };
}

describe('a feed that fails unexpectedly', () => {
  it('applies nothing of a batch, so that the batch can be delivered again', () => {
    const { feed, story } = start(Limit);
    breakMethod(feed.cache as never, 'apply', 1);
    const batch = new InitialBatch(9, [written('/a', 1), written('/b', 2)]);

    expect(() => {
      feed.deliver(batch);
    }).toThrow('broken');
    expect(feed.isListed).toBe(false);
    feed.deliver(batch);

    expect(story).toEqual(['/a', '/b']);
    expect(feed.isListed).toBe(true);
  });

  it('retries a batch with asynchronous validators, accepts no further ones meanwhile, and keeps the order', async () => {
    const { feed, story } = start(SlowLimit);
    breakMethod(feed.cache as never, 'apply', 2);

    feed.deliver(new InitialBatch(9, [written('/a', 1)]));
    const { events } = new InitialBatch(10, [written('/b', 2)]);
    feed.deliver({ revision: 10, events, origin: 'live' });
    await eventually(() => story.length === 1);
    expect(feed.canAccept()).toBe(false);
    await feed.parsing.idle();

    expect(story).toEqual(['RangeError: broken', 'RangeError: broken', '/a', 'recovered', '/b']);
    expect(feed.canAccept()).toBe(true);
  });

  it('stops the retries when it closes', async () => {
    const { feed, story } = start(SlowLimit);
    breakMethod(feed.cache as never, 'apply', Infinity);

    feed.deliver(new InitialBatch(9, [written('/a', 1)]));
    await eventually(() => story.length > 2);
    feed.close();
    const before = story.length;

    await expect(feed.listedWithin(60_000)).resolves.toBe(false);
    expect(story).toHaveLength(before);
  });

  it.each([Limit, SlowLimit])('rejects only the value that cannot be parsed', async (type) => {
    const { feed, story } = start(type);
    breakMethod(feed.parser as never, 'parse', 1);

    feed.deliver(new InitialBatch(9, [written('/a', 1), written('/b', 2)]));
    await feed.parsing.idle();

    expect(story).toEqual(['/a: RangeError: broken', '/b']);
    expect(feed.cache.entry('/a')).toMatchObject({
      state: 'invalid',
      violations: [{ path: '', constraints: ['parser'] }],
    });
  });
});
