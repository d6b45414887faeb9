import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { resolveOptions } from '../../lib/module/etcd-trigger.options.js';
import { resolveDelivery } from '../../lib/watch/delivery/delivery-options.js';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';

const DOCUMENT = 'docs/options.md';
const FOLDER = resolve('test/docs/.snippets/options');

/** The interfaces of each section, and the options that hold options of their own. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  Module: ['EtcdTriggerOptions', 'StaticOptions'],
  Definitions: ['KeyDefinition', 'PrefixDefinition', 'ClassDefinition', 'SchemaDefinition', 'DefinitionOptions'],
  Handlers: ['WatchKeyOptions'],
  Watches: ['WatchOptions'],
  Delivery: ['DeliveryOptions'],
  'Cron jobs': ['ClusterCronOptions'],
  Resources: ['LiveProviderOptions'],
  loadConfig: ['LoadConfigOptions'],
  'Changes of the store': ['ChangeOptions'],
  Console: ['ConsoleSettings', 'StaticConsoleOptions'],
  Locks: ['LockOptions'],
  'Environment variables': ['FromEnvOptions'],
  'Other calls of the store': [
    'PutOptions',
    'UpdateOptions',
    'DeleteOptions',
    'HistoryOptions',
    'RollbackOptions',
    'WriteNote',
    'AuditQuery',
  ],
};
const NESTED: Readonly<Record<string, string | readonly string[]>> = {
  audit: 'AuditOptions',
  boot: 'BootPolicy',
  coordination: 'CoordinationOptions',
  group: 'GroupOptions',
  checkpoint: 'GroupCheckpointOptions',
  handlers: 'HandlersOptions',
  limits: ['TransactionLimits', 'DocumentLimits'],
  snapshot: 'SnapshotOptions',
  retry: 'RetryOptions',
  lease: 'LeaseOptions',
};

interface Option {
  readonly name: string;
  /** The text of its `@default` tag. */
  readonly default: string | undefined;
}

const INTERFACES = new Map(
  (readdirSync('lib', { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join('lib', file))
    .flatMap((file) => ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true))
    .flatMap(({ statements }) => statements.filter((statement) => ts.isInterfaceDeclaration(statement)))
    .map((declaration) => [declaration.name.text, declaration.members] as const),
);

function optionsOf(members: Iterable<ts.TypeElement> | undefined, path = ''): Option[] {
  return Array.from(members ?? [])
    .filter((member) => ts.isPropertySignature(member))
    .flatMap((member) => {
      const name = member.name.getText();
      const nested = NESTED[name];
      // The limits of a definition are those of its documents only, which the section "Module" lists.
      const isOfDefinition = member.type?.getText() === 'OptionalProperties<DocumentLimits> | undefined';
      if (nested && !isOfDefinition) {
        return [nested].flat().flatMap((each) => optionsOf(INTERFACES.get(each), `${path}${name}.`));
      }
      const literal = literalIn(member.type);
      if (literal) return optionsOf(literal.members, `${path}${name}.`);
      const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default');
      return [{ name: path + name, default: ts.getTextOfJSDocComment(tag?.comment) }];
    });
}

/** The type of an option that is an object, where `undefined` is allowed. */
const literalIn = (type: ts.TypeNode | undefined): ts.TypeLiteralNode | undefined =>
  (type && ts.isUnionTypeNode(type) ? type.types : [type]).find(
    (each) => each !== undefined && ts.isTypeLiteralNode(each),
  );

/** First and second cell of each row. */
function rowsOf(section: string): Option[] {
  const [, text = ''] =
    new RegExp(`^## ${section}$([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`, 'm').exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
  return Array.from(text.matchAll(/^\| `([\w.]+)` +\| ([^|]+?) +\|/gm), ([, name = '', value]) => ({
    name,
    default: value,
  }));
}

/** `'strip'`, `10_000` or `true`, where a default begins with such a literal. */
const literalOf = (text: string | undefined): string | undefined =>
  /^('[^']*'|[\d_]+|true|false)(?=$|[\s,:;])/.exec(text ?? '')?.[1];

describe('docs/options.md', () => {
  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
  });

  it('has snippets that compile', () => {
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });

  it.each(Object.entries(SECTIONS))('lists every option of the section "%s", and no other', (section, interfaces) => {
    const declared = new Set(
      interfaces.flatMap((name) => optionsOf(INTERFACES.get(name)).map((option) => option.name)),
    );
    // An argument of `waitForRevision`, which has no interface of its own.
    if (section === 'Other calls of the store') declared.add('timeoutMs');

    expect(declared.size).toBeGreaterThan(1);
    expect(
      rowsOf(section)
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...declared].sort());
  });

  it.each(Object.entries(SECTIONS))(
    'has the defaults of the section "%s" that the types document',
    (section, interfaces) => {
      const shown = new Map(rowsOf(section).map((row) => [row.name, row.default]));
      for (const { name, default: documented } of interfaces.flatMap((each) => optionsOf(INTERFACES.get(each)))) {
        const literal = literalOf(documented);
        if (literal !== undefined) expect(shown.get(name), name).toContain(`\`${literal}\``);
      }
    },
  );

  it('has the defaults that the library uses', () => {
    expect(resolveOptions({ client: { hosts: '' }, audit: { prefix: '/audit' } }).audit?.keepDays).toBe(90);
    const { boot, drainTimeoutMs, handlers, ...options } = resolveOptions({ client: { hosts: 'localhost:2379' } });
    const delivery = resolveDelivery({}, {}, 'event');
    const used = {
      Module: {
        keyPrefix: options.keyPrefix,
        serviceName: options.serviceName,
        requestTimeoutMs: options.requestTimeoutMs,
        'boot.policy': boot.policy,
        'boot.timeoutMs': boot.timeoutMs,
        'shutdown.drainTimeoutMs': drainTimeoutMs,
        'handlers.register': handlers.register,
        'handlers.useGlobalEnhancers': handlers.useGlobalEnhancers,
      },
      Delivery: {
        order: delivery.order,
        concurrency: delivery.concurrency,
        delivery: delivery.delivery,
        'retry.attempts': delivery.attempts,
        'retry.backoff.initialMs': delivery.backoff.initialMs,
        'retry.backoff.maxMs': delivery.backoff.maxMs,
        onExhausted: delivery.onExhausted,
        events: delivery.events,
        debounceMs: delivery.debounceMs,
      },
    };
    for (const [section, defaults] of Object.entries(used)) {
      const shown = new Map(rowsOf(section).map((row) => [row.name, row.default?.replaceAll(/(?<=\d)_(?=\d)/g, '')]));
      for (const [name, value] of Object.entries(defaults)) {
        expect(shown.get(name), name).toContain(typeof value === 'string' ? `\`'${value}'\`` : `\`${value}\``);
      }
    }
  });
});
