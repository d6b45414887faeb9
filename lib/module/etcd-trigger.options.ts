import { hostname } from 'node:os';
import { Logger, type LoggerService } from '@nestjs/common';
import type { Etcd3, IOptions } from '../etcd/connection/etcd-client.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkOneOf, MAX_TIMER_MS } from '../option-checks.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import type { SnapshotOptions } from '../store/snapshot/config-snapshot.js';
import type { BootPolicy } from '../watch/sharing/boot-policy.js';
import type { BackendSource } from '../backend/cluster-backend.js';
import { checkDelivery, type DeliveryOptions } from '../watch/delivery/delivery-options.js';

/** How one cluster is reached and used. */
export interface EtcdTriggerOptions {
  /**
   * Options of etcd3 (`hosts`, `credentials`, `auth`): the client is built and closed by the module. Or an `Etcd3` of your own, which stays open and is
   * handed out by `@InjectEtcdClient()`; the module's own calls go through a connection made from its options. Or, in tests, a `FakeCluster`.
   */
  readonly client: Etcd3 | IOptions | BackendSource;
  /**
   * Put before every key, prefix and target of this cluster, and stripped from every key handed out.
   * @default ''
   */
  readonly keyPrefix?: string;
  /**
   * Identity of this service in log lines; never part of a key.
   * @default 'etcd-trigger'
   */
  readonly serviceName?: string;
  /**
   * Identity of this instance in log lines.
   * @default `POD_NAME`, `HOSTNAME`, or the host's name
   */
  readonly podName?: string;
  /** Configurations that are loaded before anything that injects the `StoreService` is constructed. */
  readonly configs?: readonly ConfigDefinition[];
  /**
   * With it every write of the `StoreService` also puts a marker `prefix/<uuid>` under a lease of a minute, in the same transaction: a lost answer is
   * settled by reading the marker. Needs the permission to read and write that prefix, which no definition may cover.
   * @default none: a lost answer is settled where the compare of the write allows it, else it is an `UnknownOutcomeError`
   */
  readonly outcomes?: { readonly prefix: string };
  /**
   * What happens when etcd, or something required, is not there at boot; `timeoutMs` in milliseconds.
   * @default { policy: 'fail-fast', timeoutMs: 10_000 }
   */
  readonly boot?: Partial<BootPolicy>;
  /**
   * Limit of every single request, in milliseconds.
   * @default 5_000
   */
  readonly requestTimeoutMs?: number;
  /**
   * `drainTimeoutMs`: how long running handlers may take to finish at shutdown, in milliseconds.
   * @default { drainTimeoutMs: 10_000 }
   */
  readonly shutdown?: { readonly drainTimeoutMs?: number };
  /**
   * Delivery options of every `@WatchKey` method and every `watch()` that does not say otherwise.
   * @default {}
   */
  readonly watchDefaults?: DeliveryOptions;
  /** How `@WatchKey` methods are run. */
  readonly handlers?: HandlersOptions;
  /**
   * Keeps the last good configuration in a file, with which a start goes on while etcd does not answer.
   * @default none
   */
  readonly snapshot?: SnapshotOptions;
  /** @default Nest's `Logger` */
  readonly logger?: LoggerService;
}

/** How the `@WatchKey` methods of a cluster are run. */
export interface HandlersOptions {
  /**
   * Whether handlers are attached at application bootstrap. With `false` they are checked and listed, and start when `WatchKeyRegistry.register()` is called:
   * for tests, and for processes that must not run them.
   * @default true
   */
  readonly register?: boolean;
  /**
   * Whether guards, pipes, interceptors and filters of the whole application (`APP_GUARD`, `useGlobalGuards()`) run for handlers too, and not only those declared
   * on their methods and classes.
   * @default false
   */
  readonly useGlobalEnhancers?: boolean;
}

/** For `useClass` and `useExisting`. */
export interface EtcdTriggerOptionsFactory {
  /** Called once, when the module is built. */
  createEtcdTriggerOptions(): EtcdTriggerOptions | Promise<EtcdTriggerOptions>;
}

/** Checked, with every default filled in. */
export interface ResolvedOptions {
  readonly keyPrefix: string;
  /** What the keys of markers begin with, its last slash included; `undefined` for none. */
  readonly markerPrefix: string | undefined;
  readonly serviceName: string;
  readonly podName: string;
  readonly configs: readonly ConfigDefinition[];
  readonly boot: BootPolicy;
  readonly requestTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly snapshot: SnapshotOptions | undefined;
  readonly watchDefaults: DeliveryOptions;
  readonly handlers: Required<HandlersOptions>;
  readonly logger: LoggerService;
}

const POLICIES: readonly string[] = ['fail-fast', 'wait', 'degraded'] satisfies BootPolicy['policy'][];

/** @throws InvalidOptionsError naming the first option that cannot work */
export function resolveOptions(given: EtcdTriggerOptions | undefined): ResolvedOptions {
  if (typeof given !== 'object')
    throw new InvalidOptionsError('EtcdTriggerModule needs options: at least { client: { hosts } }');
  const { policy = 'fail-fast', timeoutMs = 10_000 } = given.boot ?? {};
  checkOneOf('"boot.policy"', policy, POLICIES);
  return {
    keyPrefix: checkText('keyPrefix', given.keyPrefix ?? ''),
    markerPrefix: given.outcomes && checkMarkerPrefix(given.outcomes),
    serviceName: checkText('serviceName', given.serviceName ?? 'etcd-trigger'),
    podName: checkText('podName', given.podName ?? process.env.POD_NAME ?? process.env.HOSTNAME ?? hostname()),
    configs: checkConfigs(given.configs ?? []),
    boot: { policy, timeoutMs: checkMilliseconds('boot.timeoutMs', timeoutMs) },
    requestTimeoutMs: checkMilliseconds('requestTimeoutMs', given.requestTimeoutMs ?? 5_000),
    drainTimeoutMs: checkMilliseconds('shutdown.drainTimeoutMs', given.shutdown?.drainTimeoutMs ?? 10_000),
    watchDefaults: checkWatchDefaults(given.watchDefaults ?? {}),
    handlers: checkHandlers(given.handlers ?? {}),
    snapshot: given.snapshot && checkSnapshot(given.snapshot),
    logger: given.logger ?? new Logger(),
  };
}

function checkMarkerPrefix({ prefix }: { readonly prefix?: unknown }): string {
  const given = checkText('outcomes.prefix', prefix);
  if (/^\/*$/.test(given)) {
    throw new InvalidOptionsError('"outcomes.prefix" is empty: give the markers a prefix of their own, as "/outcomes"');
  }
  return given.endsWith('/') ? given : `${given}/`;
}

function checkSnapshot(given: unknown): SnapshotOptions {
  const { directory, maxAgeMs, encryptionKey } = given as Partial<Record<keyof SnapshotOptions, unknown>>;
  if (typeof directory !== 'string' || directory === '') {
    throw new InvalidOptionsError('"snapshot.directory" is the path of a folder');
  }
  if (encryptionKey !== undefined && !(Buffer.isBuffer(encryptionKey) && encryptionKey.length === 32)) {
    throw new InvalidOptionsError('"snapshot.encryptionKey" is a Buffer of 32 bytes, as crypto.randomBytes(32) makes');
  }
  if (maxAgeMs !== undefined && !(typeof maxAgeMs === 'number' && maxAgeMs > 0)) {
    throw new InvalidOptionsError('"snapshot.maxAgeMs" is a number of milliseconds above 0');
  }
  return { directory, ...(maxAgeMs && { maxAgeMs }), ...(encryptionKey && { encryptionKey }) };
}

function checkConfigs(configs: unknown): readonly ConfigDefinition[] {
  if (Array.isArray(configs)) return configs as ConfigDefinition[];
  throw new InvalidOptionsError('"configs" is a list of { key or prefix, type }');
}

function checkWatchDefaults(watchDefaults: unknown): DeliveryOptions {
  if (typeof watchDefaults !== 'object' || watchDefaults === null) {
    throw new InvalidOptionsError(`"watchDefaults" is an object of delivery options, as { order: 'target' }`);
  }
  checkDelivery(watchDefaults, 'watchDefaults.');
  return watchDefaults;
}

function checkHandlers({ register = true, useGlobalEnhancers = false }: HandlersOptions): Required<HandlersOptions> {
  return {
    register: checkFlag('handlers.register', register),
    useGlobalEnhancers: checkFlag('handlers.useGlobalEnhancers', useGlobalEnhancers),
  };
}

function checkFlag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionsError(`"${option}" is true or false`);
}

function checkText(option: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidOptionsError(`"${option}" is a string`);
}

function checkMilliseconds(option: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0 && value <= MAX_TIMER_MS) return value;
  throw new InvalidOptionsError(`"${option}" is a number of milliseconds above 0`);
}
