import type { FactoryProvider } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { isClass } from '../dto/class-metadata.js';
import { className } from '../dto/dto-type.js';
import { askedOf, type ConfigRequest, featureLine, requestOf, requestsOf } from './inject-config.decorator.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { definitionsOf } from './module-graph.js';
import { StoreRegistry } from './store.registry.js';
import { getStoreToken } from './etcd-trigger.tokens.js';
import {
  type ConfigDefinition,
  describeTarget,
  type ResolvedConfigDefinition,
} from '../store/definitions/config-definition.js';
import type { ConfigRef } from '../store/changes/config-ref.js';
import type { StoreService } from '../store/store.service.js';

/** The `ConfigRef` providers of some definitions: each by class and name, and each class by itself. */
export const configRefProviders = (cluster: string, configs: readonly ConfigDefinition[]): FactoryProvider[] =>
  providersOf(definedBy(cluster, configs));

/** Those of a cluster's own definitions, and of whatever was asked for anywhere: so that what is missing is told by us, with what to do. */
export const clusterConfigRefProviders = (cluster: string, configs: readonly ConfigDefinition[]): FactoryProvider[] =>
  providersOf([...definedBy(cluster, configs), ...askedOf(cluster)]);

export const tokensOf = (providers: readonly FactoryProvider[]): FactoryProvider['provide'][] =>
  providers.map(({ provide }) => provide);

/** Definitions that are no good yet are the store's to report. */
function definedBy(cluster: string, configs: readonly ConfigDefinition[]): ConfigRequest[] {
  return configs.flatMap(({ key, prefix, type }) =>
    typeof type === 'function' ? [requestOf(type, key ?? prefix, cluster), requestOf(type, undefined, cluster)] : [],
  );
}

const providersOf = (requests: readonly ConfigRequest[]): FactoryProvider[] => [...new Set(requests)].map(providerOf);

function providerOf(request: ConfigRequest): FactoryProvider {
  const { token, cluster } = request;
  return {
    provide: token,
    // Not in sight of a forFeature where forRoot is not global.
    inject: [{ token: getStoreToken(cluster), optional: true }, StoreRegistry, DiscoveryService],
    useFactory: async (store: StoreService | undefined, stores: StoreRegistry, discovery: DiscoveryService) => {
      const chosen = chooseDefinition(request, definitionsOf(discovery, cluster));
      if (typeof chosen !== 'string') return (store ?? (await stores.of(cluster))).ref(chosen);
      const [asker] = askersOf(discovery, token);
      const error = new InvalidOptionsError(`${asker ?? 'An application'} asks for ${chosen}`);
      if (asker !== undefined) throw error;
      return unresolved(error);
    },
  };
}

/** The definition that a request means, or why there is none and what to do, as the end of a sentence. */
function chooseDefinition(
  request: ConfigRequest,
  definitions: readonly ConfigDefinition[],
): Pick<ResolvedConfigDefinition, 'target' | 'type'> | string {
  const { type, name } = request;
  const targets = definitions.map((definition) => ({ target: targetOf(definition), type: definition.type }));
  const ofType = targets.filter((defined) => defined.type === type);
  const what = name === undefined ? className(type) : `${className(type)} at ${JSON.stringify(name)}`;
  if (name === undefined) {
    const subjects = [...new Set(ofType.map(({ target }) => describeTarget(target)))];
    const [only] = ofType;
    if (subjects.length > 1) {
      const example = `@InjectConfig(${className(type)}, ${JSON.stringify(only && nameOf(only.target))})`;
      return `${what}, which is the class of ${subjects.join(' and ')}: say which, as ${example}`;
    }
    return only ?? `${what}, which no definition has: add ${featureLine(request)} to the imports of its module`;
  }
  const named = targets.filter(({ target }) => nameOf(target) === name);
  const found = named.filter((defined) => defined.type === type).sort(keysFirst)[0];
  if (found) return found;
  const [other] = named;
  if (other) return `${what}, but ${describeTarget(other.target)} is defined with ${className(other.type)}`;
  const covering = ofType.find(({ target }) => 'prefix' in target && name.startsWith(target.prefix));
  if (covering) {
    return `${what}, which has no definition of its own: use StoreService.select, @InjectConfig(${className(type)}, ${JSON.stringify(nameOf(covering.target))}), or add ${featureLine(request)}`;
  }
  return `${what}, which nothing defines: add ${featureLine(request)} to the imports of its module, or the definition to "configs" beside useFactory`;
}

type Target = ResolvedConfigDefinition['target'];

const targetOf = ({ key, prefix = '' }: ConfigDefinition): Target => (key === undefined ? { prefix } : { key });
const nameOf = (target: Target): string => ('key' in target ? target.key : target.prefix);
const keysFirst = (a: { readonly target: Target }, b: { readonly target: Target }): number =>
  Number('prefix' in a.target) - Number('prefix' in b.target);

/** Classes and factories of this application that inject the token. */
function askersOf(discovery: DiscoveryService, token: symbol): string[] {
  return [...discovery.getProviders(), ...discovery.getControllers()]
    .filter(({ metatype, inject }) => {
      const isAsked = isClass(metatype) && requestsOf(metatype).some((request) => request.token === token);
      return isAsked || inject?.includes(token) === true;
    })
    .map(({ name }) => String(name));
}

/** For what nobody injects: only who takes it out of the application by its token sees the fault. */
const unresolved = (error: InvalidOptionsError): ConfigRef<never> => ({
  get value(): never {
    throw error;
  },
  get changes$(): never {
    throw error;
  },
});
