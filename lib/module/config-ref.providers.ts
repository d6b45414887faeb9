import type { FactoryProvider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { isClass } from '../dto/class-metadata.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { ConfigRef } from '../store/config-ref.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { describeTarget, type ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';
import type { StoreService } from '../store/store.service.js';
import { getStoreToken } from './etcd-trigger.tokens.js';
import {
  type ConfigRequest,
  featureLine,
  requestName,
  requestOf,
  requestsOf,
  requestsToCluster,
  type UnderPrefix,
} from './inject-config.decorator.js';
import type { RequestedConfig } from '../store/config-reader.js';
import { isStandardSchema } from '../dto/standard-schema.js';
import { definitionsOf } from './module-graph.js';
import { StoreRegistry } from './store.registry.js';
import { printable, quoted } from '../foreign/foreign-text.js';
import { typeName, type ValueType } from '../dto/value-type.js';

/** Provides a `ConfigRef` for each definition: under its class and name, and under its class only. */
export const configRefProviders = (cluster: string, configs: readonly ConfigDefinition[]): FactoryProvider[] =>
  providersOf(requestsFor(cluster, configs));

/**
 * Provides a `ConfigRef` for each definition of a cluster and for each `@InjectConfig` of any loaded class. So a
 * missing definition is reported with its fix, instead of by Nest.
 */
export const clusterConfigRefProviders = (cluster: string, configs: readonly ConfigDefinition[]): FactoryProvider[] =>
  providersOf([...requestsFor(cluster, configs), ...requestsToCluster(cluster)]);

export const tokensOf = (providers: readonly FactoryProvider[]): FactoryProvider['provide'][] =>
  providers.map(({ provide }) => provide);

/** Skips invalid definitions: the store reports them. */
function requestsFor(cluster: string, configs: readonly ConfigDefinition[]): ConfigRequest[] {
  const parts = requestsToCluster(cluster).filter(({ part, type }) =>
    configs.some((config) => part?.under === config.prefix && typeOf(config) === type),
  );
  const whole = configs.flatMap((config) => {
    const type = typeOf(config);
    const isUsable = isStandardSchema(type) || typeof type === 'function';
    return isUsable ? [requestOf(type, config.key ?? config.prefix, cluster), requestOf(type, undefined, cluster)] : [];
  });
  return [...whole, ...parts];
}

const typeOf = ({ type, schema }: ConfigDefinition): ValueType | undefined => type ?? schema;

const providersOf = (requests: readonly ConfigRequest[]): FactoryProvider[] => [...new Set(requests)].map(providerOf);

function providerOf(request: ConfigRequest): FactoryProvider {
  const { token, cluster } = request;
  return {
    provide: token,
    // Optional: a forFeature module does not see the store if forRoot is not global.
    inject: [{ token: getStoreToken(cluster), optional: true }, StoreRegistry, DiscoveryService],
    useFactory: async (store: StoreService | undefined, stores: StoreRegistry, discovery: DiscoveryService) => {
      const definition = findDefinition(request, definitionsOf(discovery, cluster));
      if (typeof definition !== 'string') return refOf(store ?? (await stores.of(cluster)), definition);
      const [dependent] = dependentsOf(discovery, token);
      const error = new InvalidOptionsError(`${dependent ?? 'The application'} injects ${definition}`);
      if (dependent !== undefined) throw error;
      return unresolved(error);
    },
  };
}

/**
 * Returns the reference that `owner` requests: of one key, or of a map with relative keys.
 * @throws InvalidOptionsError naming `owner` if there is no such definition
 */
export function refOfRequest(
  owner: string,
  request: ConfigRequest,
  store: Partial<StoreService>,
  definitions: readonly ConfigDefinition[],
): ConfigRef<unknown> {
  const definition = findDefinition(request, definitions);
  if (typeof definition === 'string') throw new InvalidOptionsError(`${owner} follows ${definition}`);
  const { target, type, isRelative } = definition;
  if ('key' in target || isRelative) return refOf(store, definition);
  const example = `[${typeName(type)}, { under: ${quoted(target.prefix)} }]`;
  throw new InvalidOptionsError(
    `${owner} follows ${describeTarget(target)} as one configuration: use ${example} for the map of its keys`,
  );
}

/** @throws InvalidOptionsError if the definition belongs to a module that was loaded after the store */
function refOf(store: Partial<StoreService>, definition: Defined): ConfigRef<unknown> {
  const subject = `${describeTarget(definition.target)} (${typeName(definition.type)})`;
  if (!store.ref) {
    return unresolved(
      new InvalidOptionsError(
        `the ConfigRef of ${subject} cannot be read: StoreService is overridden by an object without configurations; replace etcd instead: new FakeCluster().replaceIn(builder)`,
      ),
    );
  }
  try {
    return store.ref(definition);
  } catch (cause) {
    throw new InvalidOptionsError(
      `forFeature defines ${subject} in a module that is loaded after the store: add the definition to "configs" of EtcdTriggerModule.forRoot, or import its module at startup`,
      { cause },
    );
  }
}

type Defined = RequestedConfig;

/** Returns the requested definition, or the end of an error message if there is none. */
function findDefinition(request: ConfigRequest, definitions: readonly ConfigDefinition[]): Defined | string {
  const { type, name, part } = request;
  const targets = definitions.flatMap((definition) => {
    const defined = typeOf(definition);
    return defined ? [{ target: targetOf(definition), type: defined }] : [];
  });
  const ofType = targets.filter((defined) => defined.type === type);
  if (name === undefined) {
    const subjects = [...new Set(ofType.map(({ target }) => describeTarget(target)))];
    const [only] = ofType;
    if (only && subjects.length > 1) {
      const example = `@InjectConfig(${typeName(type)}, ${quoted(nameOf(only.target))})`;
      return `${typeName(type)}, which ${subjects.join(' and ')} use: choose one, such as ${example}`;
    }
    return (
      only ?? `${typeName(type)}, which has no definition: add ${featureLine(request)} to the imports of its module`
    );
  }
  const requested = requestName(request);
  if (part)
    return (
      findPart(part, type, targets) ??
      `${requested}, which no definition of the prefix ${quoted(part.under)} covers: add ${featureLine(request)} to the imports of its module`
    );
  const named = targets.filter(({ target }) => nameOf(target) === name);
  const match = named.filter((defined) => defined.type === type).sort(keysFirst)[0];
  if (match) return match;
  const [other] = named;
  if (other) return `${requested}, but ${describeTarget(other.target)} is defined with ${typeName(other.type)}`;
  const covering = ofType.find(({ target }) => 'prefix' in target && name.startsWith(target.prefix));
  if (covering) {
    return `${requested}, which only ${describeTarget(covering.target)} covers: use @InjectConfig(${typeName(type)}, ${partText(covering.target, name)}), or add ${featureLine(request)}`;
  }
  return `${requested}, which has no definition: add ${featureLine(request)} to the imports of its module, or add the definition to "configs" next to useFactory`;
}

/** Returns one key under a prefix that is defined, or the map of the prefix with relative keys. */
function findPart({ under, key }: UnderPrefix, type: ValueType, targets: readonly Defined[]): Defined | undefined {
  const isDefined = targets.some(
    (defined) => defined.type === type && 'prefix' in defined.target && defined.target.prefix === under,
  );
  if (!isDefined) return undefined;
  return key === undefined
    ? { target: { prefix: under }, type, isRelative: true }
    : { target: { key: under + key }, type };
}

const partText = (target: Target, name: string): string =>
  `{ under: ${quoted(nameOf(target))}, key: ${quoted(name.slice(nameOf(target).length))} }`;

type Target = ResolvedConfigDefinition['target'];

const targetOf = ({ key, prefix = '' }: ConfigDefinition): Target => (key === undefined ? { prefix } : { key });
const nameOf = (target: Target): string => ('key' in target ? target.key : target.prefix);
const keysFirst = (a: { readonly target: Target }, b: { readonly target: Target }): number =>
  Number('prefix' in a.target) - Number('prefix' in b.target);

/** Returns the names of the classes and factories that inject the token. */
function dependentsOf(discovery: DiscoveryService, token: symbol): string[] {
  return [...discovery.getProviders(), ...discovery.getControllers()]
    .filter(({ metatype, inject }) => {
      const isInjected = isClass(metatype) && requestsOf(metatype).some((request) => request.token === token);
      return isInjected || inject?.includes(token) === true;
    })
    .map(({ name }) => printable(String(name)));
}

/** Defers the error of a `ConfigRef` that no provider injects until its value is read. */
const unresolved = (error: InvalidOptionsError): ConfigRef<never> => ({
  get value(): never {
    throw error;
  },
  get changes$(): never {
    throw error;
  },
  onChange(): never {
    throw error;
  },
  put(): never {
    throw error;
  },
  update(): never {
    throw error;
  },
});
