import { hostname } from 'node:os';
import { Logger, type LoggerService } from '@nestjs/common';
import type { BackendSource } from '../backend/cluster-backend.js';
import { DEFAULT_LIMITS, type TransactionLimits } from '../backend/transaction-limits.js';
import { checkDocumentLimits, DOCUMENT_LIMITS, type DocumentLimits } from '../dto/document-limits.js';
import { CLIENT_OPTIONS, type Etcd3, type EtcdClientOptions } from '../etcd/connection/etcd-client.js';
import {
  type CoordinationOptions,
  type ResolvedCoordination,
  resolveCoordination,
} from '../coordination/coordination-options.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import {
  checkInteger,
  checkKnown,
  checkOneOf,
  MAX_TIMER_MS,
  type OptionalProperties,
  type OptionNames,
  checkBoolean,
} from '../option-checks.js';
import { type AuditOptions, type ResolvedAudit, resolveAudit } from '../store/audit/audit-options.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { checkConfigs } from '../store/definitions/resolved-definition.js';
import type { SnapshotOptions } from '../store/snapshot/config-snapshot.js';
import { checkDelivery, DELIVERY_OPTIONS, type DeliveryOptions } from '../watch/delivery/delivery-options.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import { checkSeparate } from './reserved-prefixes.js';

/** Options of one cluster. */
export interface EtcdTriggerOptions {
  /**
   * Options of etcd3 (`hosts`, `credentials`, `auth`), or an existing `Etcd3`. From options, the module creates the
   * client and closes it. An existing client is injected by `@InjectEtcdClient()` and never closed; the module opens
   * its own connection with the same options. Tests may pass a `FakeCluster`.
   */
  readonly client: Etcd3 | EtcdClientOptions | BackendSource;
  /**
   * Added to every key, prefix and target of this cluster, and removed from every key that the application receives.
   * @default ''
   */
  readonly keyPrefix?: string | undefined;
  /**
   * Name of the service in log lines. Never part of a key.
   * @default 'etcd-trigger'
   */
  readonly serviceName?: string | undefined;
  /**
   * Name of this instance in log lines.
   * @default the environment variable `POD_NAME` or `HOSTNAME`, or the host name
   */
  readonly podName?: string | undefined;
  /** Configurations, loaded before any provider that injects the `StoreService` is created. */
  readonly configs?: readonly ConfigDefinition[] | undefined;
  /**
   * Resolves unknown write outcomes with markers: every write of the `StoreService` also puts a marker `prefix/<uuid>`
   * under a short lease in the same transaction. If the response is lost, the marker proves whether the write was
   * applied. Requires permission to read and write this prefix. No definition may cover it.
   * @default none: if the compare of a write cannot resolve a lost response, the write fails with `UnknownOutcomeError`
   */
  readonly outcomes?: { readonly prefix: string } | undefined;
  /**
   * Elections and other work that the instances of the application share. Without it nothing is written for them, and
   * an application that uses them does not start.
   * @default none
   */
  readonly coordination?: CoordinationOptions | undefined;
  /**
   * Records who changes which properties of the configuration: every write of the `StoreService` also puts a record in
   * the same transaction, under a lease of `keepDays`. Records contain no values. A transaction then takes at most 63
   * writes. Requires permission to write this prefix. No definition may overlap it.
   * @default none
   */
  readonly audit?: AuditOptions | undefined;
  /**
   * Behaviour if etcd is unreachable or something required is missing at startup. `timeoutMs` is in milliseconds.
   * @default { policy: 'fail-fast', timeoutMs: 10_000 }
   */
  readonly boot?: OptionalProperties<BootPolicy> | undefined;
  /**
   * Time limit of each request, in milliseconds.
   * @default 5_000
   */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * `drainTimeoutMs`: time that running handlers have to finish at shutdown, in milliseconds.
   * @default { drainTimeoutMs: 10_000 }
   */
  readonly shutdown?: { readonly drainTimeoutMs?: number | undefined } | undefined;
  /**
   * Default delivery options of all `@WatchKey` methods and `watch()` calls.
   * @default {}
   */
  readonly watchDefaults?: DeliveryOptions | undefined;
  /** Options of all `@WatchKey` methods. */
  readonly handlers?: HandlersOptions | undefined;
  /**
   * True if each request and each call of a `@WatchKey` method reads one state of all configurations, from its
   * interceptors to its end, as in `StoreService.pinned`. Each change of a configuration is then compared with the other
   * definitions in etcd.
   * @default false
   */
  readonly pinRequests?: boolean | undefined;
  /**
   * Saves the last valid configuration to a file, so that the application can start while etcd is unreachable.
   * @default none
   */
  readonly snapshot?: SnapshotOptions | undefined;
  /**
   * Limits of the servers, where they are started with other values of `--max-request-bytes` and `--max-txn-ops`, and
   * the limits of each document that is validated.
   * @default { requestBytes: 1_572_864, transactionOperations: 128, documentBytes: 1_572_864, values: 500_000, properties: 100_000, nestedObjects: 20_000 }
   */
  readonly limits?: OptionalProperties<EtcdTriggerLimits> | undefined;
  /** @default Nest's `Logger` */
  readonly logger?: LoggerService | undefined;
}

/** Limits of the servers and of documents. */
export interface EtcdTriggerLimits extends TransactionLimits, DocumentLimits {}

/** Options of the `@WatchKey` methods of a cluster. */
export interface HandlersOptions {
  /**
   * True if handlers are attached at application bootstrap. With `false` they are only validated and listed, and
   * `WatchKeyRegistry.register()` attaches them. Use it in tests, and in processes that must not run handlers.
   * @default true
   */
  readonly register?: boolean | undefined;
  /**
   * True if global guards, pipes, interceptors and filters (`APP_GUARD`, `useGlobalGuards()`) also run for handlers.
   * Enhancers declared on handler methods and classes always run.
   * @default false
   */
  readonly useGlobalEnhancers?: boolean | undefined;
}

/** Implemented by classes for `useClass` and `useExisting`. */
export interface EtcdTriggerOptionsFactory {
  /** Called once, when the module is created. */
  createEtcdTriggerOptions(): EtcdTriggerOptions | Promise<EtcdTriggerOptions>;
}

type ResolvedHandlers = Readonly<Record<keyof HandlersOptions, boolean>>;

/** Validated options with all defaults. */
export interface ResolvedOptions {
  readonly keyPrefix: string;
  /** Prefix of all markers, including its trailing slash; `undefined` if markers are disabled. */
  readonly markerPrefix: string | undefined;
  readonly coordination: ResolvedCoordination | undefined;
  readonly audit: ResolvedAudit | undefined;
  readonly serviceName: string;
  readonly podName: string;
  readonly configs: readonly ConfigDefinition[];
  readonly limits: EtcdTriggerLimits;
  readonly boot: BootPolicy;
  readonly requestTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly snapshot: SnapshotOptions | undefined;
  readonly watchDefaults: DeliveryOptions;
  readonly handlers: ResolvedHandlers;
  readonly pinRequests: boolean;
  readonly logger: LoggerService;
}

const OPTIONS: OptionNames<EtcdTriggerOptions> = {
  client: true,
  keyPrefix: true,
  serviceName: true,
  podName: true,
  configs: true,
  outcomes: true,
  audit: true,
  boot: true,
  coordination: true,
  requestTimeoutMs: true,
  shutdown: true,
  watchDefaults: true,
  handlers: true,
  pinRequests: true,
  snapshot: true,
  limits: true,
  logger: true,
};

/** The names of the options of each nested object. */
const NESTED_OPTIONS = {
  audit: { prefix: true, keepDays: true } satisfies OptionNames<AuditOptions>,
  boot: { policy: true, timeoutMs: true } satisfies OptionNames<BootPolicy>,
  handlers: { register: true, useGlobalEnhancers: true } satisfies OptionNames<HandlersOptions>,
  coordination: {
    prefix: true,
    ttlSeconds: true,
    marginMs: true,
    settleMs: true,
  } satisfies OptionNames<CoordinationOptions>,
  limits: {
    ...DOCUMENT_LIMITS,
    requestBytes: true,
    transactionOperations: true,
  } satisfies OptionNames<EtcdTriggerLimits>,
  outcomes: { prefix: true },
  shutdown: { drainTimeoutMs: true },
  snapshot: { directory: true, maxAgeMs: true, encryptionKey: true } satisfies OptionNames<SnapshotOptions>,
  watchDefaults: DELIVERY_OPTIONS,
} as const;

/** Paths of the nested options, for one that is given beside `client` by mistake. */
const NESTED_PATHS: readonly string[] = Object.entries({ client: CLIENT_OPTIONS, ...NESTED_OPTIONS }).flatMap(
  ([option, names]) => Object.keys(names).map((name) => `${option}.${name}`),
);

const POLICIES: readonly string[] = ['fail-fast', 'wait', 'degraded'] satisfies BootPolicy['policy'][];

/** @throws InvalidOptionsError naming the first invalid option */
export function resolveOptions(given: EtcdTriggerOptions | null | undefined): ResolvedOptions {
  checkIsGiven(given);
  checkNames(given);
  const { policy = 'fail-fast', timeoutMs = 10_000 } = given.boot ?? {};
  checkOneOf('"boot.policy"', policy, POLICIES);
  const markerPrefix = given.outcomes && checkMarkerPrefix(given.outcomes);
  const coordination = given.coordination === undefined ? undefined : resolveCoordination(given.coordination);
  const audit = given.audit === undefined ? undefined : resolveAudit(given.audit);
  checkSeparate({ markerPrefix, coordination, audit });
  return {
    keyPrefix: checkText('keyPrefix', given.keyPrefix ?? ''),
    markerPrefix,
    coordination,
    audit,
    serviceName: checkText('serviceName', given.serviceName ?? 'etcd-trigger'),
    podName: checkText('podName', given.podName ?? process.env.POD_NAME ?? process.env.HOSTNAME ?? hostname()),
    configs: checkConfigs('"configs"', given.configs ?? []),
    limits: checkLimitOptions(given.limits ?? {}),
    boot: { policy, timeoutMs: checkMilliseconds('boot.timeoutMs', timeoutMs) },
    requestTimeoutMs: checkMilliseconds('requestTimeoutMs', given.requestTimeoutMs ?? 5_000),
    drainTimeoutMs: checkMilliseconds('shutdown.drainTimeoutMs', given.shutdown?.drainTimeoutMs ?? 10_000),
    watchDefaults: checkWatchDefaults(given.watchDefaults ?? {}),
    handlers: checkHandlers(given.handlers ?? {}),
    pinRequests: checkBoolean('pinRequests', given.pinRequests ?? false),
    snapshot: given.snapshot && checkSnapshot(given.snapshot),
    logger: checkLogger(given.logger ?? new Logger()),
  };
}

/** True for the name of an option of the module. */
export const isModuleOption = (name: string): boolean => Object.hasOwn(OPTIONS, name);

/** @throws InvalidOptionsError unless it is an object */
export function checkIsGiven(options: unknown): asserts options is object {
  if (typeof options === 'object' && options !== null) return;
  throw new InvalidOptionsError('EtcdTriggerModule needs options: at least { client: { hosts: "host:2379" } }');
}

function checkNames(given: EtcdTriggerOptions): void {
  const late = ['cluster', 'isGlobal'].find((option) => option in given);
  if (late !== undefined) {
    throw new InvalidOptionsError(`"${late}" is set beside useFactory, because Nest needs it before the factory runs`);
  }
  checkKnown(given, OPTIONS, { elsewhere: NESTED_PATHS });
  for (const [option, names] of Object.entries(NESTED_OPTIONS)) {
    const nested: unknown = given[option as keyof typeof NESTED_OPTIONS];
    if (typeof nested === 'object' && nested !== null) checkKnown(nested, names, { path: `${option}.` });
  }
}

function checkMarkerPrefix({ prefix }: { readonly prefix?: unknown }): string {
  const given = checkText('outcomes.prefix', prefix);
  if (/^\/*$/.test(given)) {
    throw new InvalidOptionsError(
      '"outcomes.prefix" must not be empty: set a prefix for the markers only, such as "/outcomes"',
    );
  }
  return given.endsWith('/') ? given : `${given}/`;
}

function checkSnapshot(given: unknown): SnapshotOptions {
  const { directory, maxAgeMs, encryptionKey } = given as Partial<Record<keyof SnapshotOptions, unknown>>;
  if (typeof directory !== 'string' || directory === '') {
    throw new InvalidOptionsError('"snapshot.directory" must be the path of a directory');
  }
  if (encryptionKey !== undefined && !(Buffer.isBuffer(encryptionKey) && encryptionKey.length === 32)) {
    throw new InvalidOptionsError(
      '"snapshot.encryptionKey" must be a Buffer of 32 bytes, such as crypto.randomBytes(32)',
    );
  }
  if (maxAgeMs !== undefined && !(typeof maxAgeMs === 'number' && maxAgeMs > 0)) {
    throw new InvalidOptionsError('"snapshot.maxAgeMs" must be a number of milliseconds above 0');
  }
  return { directory, ...(maxAgeMs && { maxAgeMs }), ...(encryptionKey && { encryptionKey }) };
}

function checkWatchDefaults(watchDefaults: unknown): DeliveryOptions {
  if (typeof watchDefaults !== 'object' || watchDefaults === null) {
    throw new InvalidOptionsError(`"watchDefaults" must be an object of delivery options, such as { order: 'target' }`);
  }
  checkDelivery(watchDefaults, 'watchDefaults.');
  return watchDefaults;
}

function checkHandlers({ register = true, useGlobalEnhancers = false }: HandlersOptions): ResolvedHandlers {
  return {
    register: checkBoolean('handlers.register', register),
    useGlobalEnhancers: checkBoolean('handlers.useGlobalEnhancers', useGlobalEnhancers),
  };
}

function checkLimitOptions(given: OptionalProperties<EtcdTriggerLimits>): EtcdTriggerLimits {
  const limitOf = (name: keyof TransactionLimits): number => {
    const limit = given[name] ?? DEFAULT_LIMITS[name];
    checkInteger(`"limits.${name}"`, limit, { min: 1 });
    return limit;
  };
  return {
    requestBytes: limitOf('requestBytes'),
    transactionOperations: limitOf('transactionOperations'),
    ...checkDocumentLimits(given),
  };
}

function checkText(option: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidOptionsError(`"${option}" must be a string`);
}

function checkMilliseconds(option: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= MAX_TIMER_MS) return value;
  throw new InvalidOptionsError(`"${option}" must be a number of milliseconds above 0`);
}

function checkLogger(given: LoggerService): LoggerService {
  const { log, warn, error } = given as Partial<LoggerService>;
  if ([log, warn, error].every((method) => typeof method === 'function')) return given;
  throw new InvalidOptionsError('"logger" must have the methods log, warn and error, as Logger of @nestjs/common has');
}
