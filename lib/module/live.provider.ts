import type { FactoryProvider, InjectionToken, OptionalFactoryDependency } from '@nestjs/common';
import { BootError, EtcdTriggerError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import { messageOf } from '../foreign/foreign-error.js';
import { printable, quoted } from '../foreign/foreign-text.js';
import { isStandardSchema } from '../dto/standard-schema.js';
import type { ValueType } from '../dto/value-type.js';
import type { Live } from '../live/live.js';
import { checkFunction, checkKnown, checkMilliseconds, type OptionNames } from '../option-checks.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import { describeToken, requestName, requestOf, type UnderPrefix } from './inject-config.decorator.js';
import { getLiveHostToken, LIVE_FACTORIES, type LiveHost } from './live.host.js';

/** Options of `liveProvider`. */
export interface LiveProviderOptions<
  T,
  C extends object,
  Location extends string | UnderPrefix,
  Tokens extends readonly LiveDependency[],
> {
  /** The token that injects the `Live<T>`. */
  readonly provide: InjectionToken;
  /**
   * The class or the schema of a definition, or a pair of it and the location, as the arguments of `@InjectConfig`.
   * `[Type, { under: '/pre/' }]` is the map of a prefix.
   */
  readonly config: ValueType<C> | readonly [type: ValueType<C>, location: Location];
  /**
   * Tokens of providers that `create` receives as `inject`. They must not be request-scoped.
   * @default []
   */
  readonly inject?: Tokens | undefined;
  /**
   * Creates the resource. The first call is part of startup; the others follow changes of the configuration. `signal`
   * aborts when the configuration has changed again, after `createTimeoutMs`, and at shutdown. What it returns after
   * that is disposed.
   */
  readonly create: (config: LiveConfig<C, Location>, context: LiveContext<Tokens>) => T | Promise<T>;
  /**
   * Disposes a resource that was replaced, and the last one at shutdown. Its result is awaited for at most 5 s.
   * @default none
   */
  readonly dispose?: ((old: T) => unknown) | undefined;
  /**
   * Time that running calls of `use` have to end before a replaced resource is disposed, in milliseconds.
   * @default 10_000
   */
  readonly drainMs?: number | undefined;
  /**
   * Time limit of each call of `create`, in milliseconds.
   * @default 10_000
   */
  readonly createTimeoutMs?: number | undefined;
  /**
   * The cluster of the configuration.
   * @default 'default'
   */
  readonly cluster?: string | undefined;
}

/** A token, or `{ token, optional }` as in the `inject` of Nest's factory providers. */
export type LiveDependency = InjectionToken | OptionalFactoryDependency;

/** The configuration that `create` receives: a map for `{ under }` without a key. */
export type LiveConfig<C, Location> = Location extends string | { readonly key: string } ? C : ReadonlyMap<string, C>;

/** Arguments of `create` besides the configuration. */
export interface LiveContext<Tokens extends readonly LiveDependency[]> {
  readonly signal: AbortSignal;
  /** The injected providers, in the order of the option `inject`. */
  readonly inject: { readonly [Index in keyof Tokens]: InjectedBy<Tokens[Index]> };
}

/** The type of an injected provider; `unknown` for a string or symbol. */
export type InjectedBy<Token> = Token extends abstract new (...args: never[]) => infer T
  ? T
  : Token extends { readonly token: infer Inner; readonly optional: infer Optional }
    ? InjectedBy<Inner> | (Optional extends false ? never : undefined)
    : unknown;

/**
 * Provides a resource that is created from a configuration and replaced when the configuration changes, as `Live<T>`.
 * The new resource is created beside the old one, which stays until its running uses have ended. If `create` fails, the
 * old resource stays, and `create` is called again with growing delays.
 *
 * @throws InvalidOptionsError for an invalid option
 */
export function liveProvider<
  T,
  C extends object,
  const Location extends string | UnderPrefix = string,
  const Tokens extends readonly LiveDependency[] = readonly [],
>(options: LiveProviderOptions<T, C, Location, Tokens>): FactoryProvider<Live<T>> {
  const { provide, config, inject = [], create, dispose, cluster = DEFAULT_CLUSTER } = checked(options);
  const { drainMs = 10_000, createTimeoutMs = 10_000 } = options;
  const name = nameOf(provide);
  const [type, location] = isPair(config) ? config : [config, undefined];
  const request = requestOf(type, location, cluster);
  const useFactory = async (host: LiveHost | undefined, ...injected: readonly unknown[]): Promise<Live<T>> => {
    if (!host) {
      throw new InvalidOptionsError(
        `${name} follows the cluster ${quoted(cluster)}, but its module sees no EtcdTriggerModule.forRoot or forFeature of that cluster: import one`,
      );
    }
    // Again for a module that is loaded lazily.
    host.checkScopes();
    const ref = host.ref(name, request);
    const given = injected as unknown as LiveContext<Tokens>['inject'];
    try {
      return await host.resources.start<unknown, T>({
        name,
        config: ref,
        subject: requestName(request),
        create: (value, signal) => create(value as LiveConfig<C, Location>, { signal, inject: given }),
        dispose,
        drainMs,
        createTimeoutMs,
      });
    } catch (error) {
      if (error instanceof EtcdTriggerError) throw error;
      throw new BootError([{ cluster, subject: name, reason: 'failed', message: messageOf(error) }]);
    }
  };
  LIVE_FACTORIES.set(useFactory, name);
  return { provide, inject: [{ token: getLiveHostToken(cluster), optional: true }, ...inject], useFactory };
}

const OPTIONS: OptionNames<LiveProviderOptions<unknown, object, string, []>> = {
  provide: true,
  config: true,
  inject: true,
  create: true,
  dispose: true,
  drainMs: true,
  createTimeoutMs: true,
  cluster: true,
};

const LIVE = 'liveProvider';

function checked<T extends object>(options: T): T {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionsError(`${LIVE} needs options: { provide, config, create }`);
  }
  const { provide, create, dispose, inject, drainMs, createTimeoutMs, cluster } = given as Record<string, unknown>;
  if (!isToken(provide)) {
    throw new InvalidOptionsError(`"provide" of ${LIVE} must be a token: a class, a symbol or a string`);
  }
  const owner = ` of ${LIVE} ${nameOf(provide)}`;
  checkKnown(given, OPTIONS, { owner });
  checkFunction(`"create"${owner}`, create);
  if (dispose !== undefined) checkFunction(`"dispose"${owner}`, dispose);
  if (inject !== undefined && !Array.isArray(inject)) {
    throw new InvalidOptionsError(`"inject"${owner} must be an array of tokens`);
  }
  if (cluster !== undefined && typeof cluster !== 'string') {
    throw new InvalidOptionsError(`"cluster"${owner} must be a string`);
  }
  checkMilliseconds(`"drainMs"${owner}`, drainMs, 0);
  checkMilliseconds(`"createTimeoutMs"${owner}`, createTimeoutMs, 1);
  return options;
}

const isToken = (token: unknown): token is InjectionToken =>
  typeof token === 'function' || typeof token === 'symbol' || (typeof token === 'string' && token !== '');

const nameOf = (token: InjectionToken): string => printable(describeToken(token));

const isPair = <Type, Location>(config: Type | readonly [Type, Location]): config is readonly [Type, Location] =>
  Array.isArray(config) && !isStandardSchema(config);
