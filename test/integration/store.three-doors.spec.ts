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

  const verdictOf = (violations: readonly ConfigViolation[] | undefined): string =>
    violations?.map(({ path, constraints }) => `${path}: ${constraints.join()}`).join('; ') ?? 'valid';
  const seen = (store: StoreService, key: string): [verdict: string, value: Service | undefined] => {
    const { violations, value } = store.entry<Service>(key, type);
    return [verdictOf(violations), value];
  };

  it('get the same result at startup, on change and before a write, and no value is ever reported', async () => {
    const configs: ConfigDefinition[] = [{ prefix: '/doors/', type, unknown }];
    const logger = new CollectingLogger();
    const told: unknown[] = [];
    for (const [index, document] of DOCUMENTS.entries()) await put(`/doors/boot/${index}`, document);
    const refused: unknown = await startApp({ hosts: etcd.hosts, configs }).catch((error: unknown) => error);
    await using app = await startApp({ hosts: etcd.hosts, configs, boot: { policy: 'degraded' }, logger });
    let last = 0;
    for (const [index, document] of DOCUMENTS.entries()) {
      last = await put(`/doors/change/${index}`, document);
    }
    await app.store.waitForRevision(last);

    const verdicts = new Set<string>();
    for (const [index, document] of DOCUMENTS.entries()) {
      const [verdict, value] = seen(app.store, `/doors/boot/${index}`);
      verdicts.add(verdict);
      expect([index, ...seen(app.store, `/doors/change/${index}`)]).toEqual([index, verdict, value]);
      const object = objectOf(document);
      if (!object) continue;
      const written = await app.store.put(`/doors/write/${index}`, object).catch((error: unknown) => error);
      if (written instanceof InvalidConfigError) told.push(written);
      const atWrite = written instanceof InvalidConfigError ? verdictOf(written.violations) : 'valid';
      expect([index, atWrite, app.store.get<Service>(`/doors/write/${index}`, type)]).toEqual([index, verdict, value]);
    }
    expect(verdicts.size).toBeGreaterThan(20);
    expect(verdicts).toContain('valid');
    expect({}).not.toHaveProperty('admin');

    told.push(refused, logger.text);
    expect(inspect(told, { depth: Infinity, showHidden: true, maxStringLength: Infinity })).not.toContain(SECRET);
    expect(JSON.stringify(told)).not.toContain(SECRET);
    expect(told.length).toBeGreaterThan(20);
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
