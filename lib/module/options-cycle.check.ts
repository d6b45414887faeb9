import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { type DiscoveryService, ModulesContainer } from '@nestjs/core';
import { isClass } from '../dto/class-metadata.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { INJECTED_PARAMETERS, INJECTED_PROPERTIES, metadataList } from '../handlers/nest-metadata.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { describeToken } from './inject-config.decorator.js';
import { ClusterMarker } from './module-graph.js';
import { StoreRegistry } from './store.registry.js';
import { quoted } from '../foreign/foreign-text.js';
import { isA } from '../foreign/foreign-error.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Module = NonNullable<Wrapper['host']>;

/**
 * Fails the bootstrap if the options of a cluster depend on the same cluster, directly or through other providers: the
 * bootstrap would never end. Nest detects its own cycles, but not a `ConfigRef` that waits for a store of another
 * module, and it does not name the providers of the cycle.
 */
export const optionsCycleCheck = (cluster: string, optionsToken: InjectionToken): FactoryProvider => ({
  provide: Symbol('OptionsCycleCheck'),
  // Nest provides ModulesContainer itself, so this check runs before any other provider is created.
  inject: [ModulesContainer],
  useFactory: (modules: ModulesContainer) => {
    const all = [...modules.values()];
    const options = all.find((module) => isOfCluster(module, cluster))?.providers.get(optionsToken);
    const cycle = options && pathBetween(options, options, all, new Set());
    if (!cycle) return;
    const names = cycle.filter(({ token }) => token !== ClusterRuntime).map(({ token }) => describeToken(token));
    throw new InvalidOptionsError(
      `the options of the cluster ${quoted(cluster)} depend on ${names.join(', which depends on ')}, which depends on these options: take them from a provider that does not depend on this cluster`,
    );
  },
});

const isOfCluster = ({ providers }: Module, cluster: string): boolean =>
  [...providers.values()].some(({ instance }: Wrapper) => isA(instance, ClusterMarker) && instance.cluster === cluster);

/** Returns the providers between two providers, without these two; `undefined` if `from` does not depend on `to`. */
function pathBetween(from: Wrapper, to: Wrapper, all: readonly Module[], seen: Set<Wrapper>): Wrapper[] | undefined {
  for (const dependency of dependenciesOf(from, all)) {
    if (dependency === to) return [];
    if (seen.has(dependency)) continue;
    seen.add(dependency);
    const rest = pathBetween(dependency, to, all, seen);
    if (rest) return [dependency, ...rest];
  }
  return undefined;
}

function dependenciesOf({ host, inject, metatype }: Wrapper, all: readonly Module[]): Wrapper[] {
  if (!host) return [];
  const tokens = (inject ?? (isClass(metatype) ? injectedInto(metatype) : [])).map(tokenOf);
  // A ConfigRef waits for the store of its cluster, even if its module does not import that store.
  const modules = tokens.includes(StoreRegistry) ? [host, ...all] : [host];
  return tokens.flatMap((token) => firstOf(modules, (module) => findVisible(token, module, new Set())) ?? []);
}

function injectedInto(type: object): unknown[] {
  const parameters = [...metadataList('design:paramtypes', type)];
  for (const { index, param } of metadataList(INJECTED_PARAMETERS, type) as { index: number; param: unknown }[]) {
    parameters[index] = param;
  }
  const properties = metadataList(INJECTED_PROPERTIES, type) as { type: unknown }[];
  return [...parameters, ...properties.map((property) => property.type)];
}

/** Unwraps `{ token, optional }`. A `forwardRef` matches no provider, because Nest does not wait for it. */
const tokenOf = (entry: unknown): InjectionToken =>
  (typeof entry === 'object' && entry !== null && 'token' in entry ? entry.token : entry) as InjectionToken;

/** Searches as Nest does: the module itself first, then the exports of its imports. */
function findVisible(token: InjectionToken, { providers, imports }: Module, seen: Set<Module>): Wrapper | undefined {
  return providers.get(token) ?? firstOf([...imports], (module) => findExported(token, module, seen));
}

function findExported(token: InjectionToken, module: Module, seen: Set<Module>): Wrapper | undefined {
  if (seen.has(module)) return undefined;
  seen.add(module);
  const { providers, imports, exports } = module;
  if (exports.has(token) && providers.has(token)) return providers.get(token);
  const reexported = [...imports].filter(({ metatype }) => exports.has(metatype));
  return firstOf(reexported, (next) => findExported(token, next, seen));
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
