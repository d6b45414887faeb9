import { inspect } from 'node:util';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, registerDecorator, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import {
  type ConfigDefinition,
  type ConfigViolation,
  InvalidConfigError,
  type StoreService,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

const SECRET = 'sesame-open-9f3';

class Host {
  @IsString() name!: string;
  @IsInt() @Max(65_535) port!: number;
}
class Service {
  @IsString() id!: string;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Host) hosts?: Host[];
}
class Remote extends Service {
  @IsEventuallySmall() weight!: number;
}

/** An asynchronous validator with the async flag. */
function IsEventuallySmall(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'isEventuallySmall',
      async: true,
      target: target.constructor,
      propertyName: String(propertyName),
      validator: { validate: (value: unknown) => Promise.resolve(typeof value === 'number' && value < 10) },
    });
  };
}

const VALID = { id: 'a', weight: 1, hosts: [{ name: 'x', port: 1 }] };
const text = (part: object): string => JSON.stringify({ ...VALID, ...part });
const POISON: readonly (string | Buffer)[] = [
  '',
  `{"id": ${SECRET}`,
  `"${SECRET}"`,
  'null',
  `["${SECRET}"]`,
  Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
  `{"id":"${SECRET}","hosts":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  text({ hosts: Array.from({ length: 70 }).reduce<object>((inner) => [inner], []) }),
  `{"id":"${SECRET}","id":"b","weight":1}`,
  '{"id":"a","weight":1,"__proto__":{"admin":true}}',
  '{"id":"a","weight":1,"hosts":[{"constructor":{"prototype":{}}}]}',
  '{"id":"a","weight":1e999}',
  text({ hosts: Object.fromEntries(Array.from({ length: 20_001 }, (_, index) => [`k${index}`, 0])) }),
  text({ [SECRET.slice(0, 3)]: SECRET }),
  text({ hosts: [{ name: 'x', port: '8080' }] }),
  text({ hosts: { name: SECRET, port: 1 } }),
  text({ id: 7, weight: SECRET }),
  text({ weight: 99 }),
  text({ id: [SECRET] }),
];

const anything = fc.oneof(fc.constant(SECRET), fc.constant(1), fc.jsonValue({ maxDepth: 2 }));
const DRAWN = fc
  .sample(
    fc.record(
      {
        id: fc.oneof(fc.string(), anything),
        weight: fc.oneof(fc.nat(12), anything),
        hosts: fc.oneof(
          fc.array(fc.record({ name: fc.string(), port: fc.oneof(fc.nat(70_000), anything) }), { maxLength: 3 }),
          anything,
        ),
        extra: anything,
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
    { numRuns: 60, seed: 4 },
  )
  .map((document) => JSON.stringify(document));
const DOCUMENTS = [...POISON, text({}), ...DRAWN];

describe.each([
  ['of a class', Service, 'strip'],
  ['of a class that rejects unknown properties', Service, 'refuse'],
  ['of a class with an asynchronous validator', Remote, 'strip'],
  ['of a class with both', Remote, 'refuse'],
] as const)('documents %s', (_, type, unknown) => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const resultOf = (violations: readonly ConfigViolation[] | undefined): string =>
    violations?.map(({ path, constraints }) => `${path}: ${constraints.join()}`).join('; ') ?? 'valid';
  const resultAt = (store: StoreService, key: string): [result: string, value: Service | undefined] => {
    const { violations, value } = store.entry<Service>(key, type);
    return [resultOf(violations), value];
  };

  it('get the same result at startup, on change and before a write, and no value is ever reported', async () => {
    const configs: ConfigDefinition[] = [{ prefix: '/documents/', type, unknown, onInvalid: 'fail' }];
    const logger = new CollectingLogger();
    const reported: unknown[] = [];
    for (const [index, document] of DOCUMENTS.entries()) await put(`/documents/boot/${index}`, document);
    const failure: unknown = await startApp({ hosts: etcd.hosts, configs }).catch((error: unknown) => error);
    await using app = await startApp({ hosts: etcd.hosts, configs, boot: { policy: 'degraded' }, logger });
    let last = 0;
    for (const [index, document] of DOCUMENTS.entries()) {
      last = await put(`/documents/change/${index}`, document);
    }
    await app.store.waitForRevision(last);

    const results = new Set<string>();
    for (const [index, document] of DOCUMENTS.entries()) {
      const [result, value] = resultAt(app.store, `/documents/boot/${index}`);
      results.add(result);
      expect([index, ...resultAt(app.store, `/documents/change/${index}`)]).toEqual([index, result, value]);
      const object = objectOf(document);
      if (!object) continue;
      const outcome = await app.store.put(`/documents/write/${index}`, object).catch((error: unknown) => error);
      if (outcome instanceof InvalidConfigError) reported.push(outcome);
      const writeResult = outcome instanceof InvalidConfigError ? resultOf(outcome.violations) : 'valid';
      expect([index, writeResult, app.store.get<Service>(`/documents/write/${index}`, type)]).toEqual([
        index,
        result,
        value,
      ]);
    }
    expect(results.size).toBeGreaterThan(20);
    expect(results).toContain('valid');
    expect({}).not.toHaveProperty('admin');

    reported.push(failure, logger.text);
    expect(inspect(reported, { depth: Infinity, showHidden: true, maxStringLength: Infinity })).not.toContain(SECRET);
    expect(JSON.stringify(reported)).not.toContain(SECRET);
    expect(reported.length).toBeGreaterThan(20);
  });
});

/** Returns the value that an application would write to get the document; `undefined` if there is none. */
function objectOf(document: string | Buffer): object | undefined {
  try {
    const value: unknown = JSON.parse(document.toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && JSON.stringify(value) === document.toString() ? value : undefined;
  } catch {
    return undefined;
  }
}
