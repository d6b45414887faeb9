import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { type DiscoveryService, ModulesContainer } from '@nestjs/core';
import { isClass } from '../dto/class-metadata.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { describeToken } from './inject-config.decorator.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { ClusterMarker } from './module-graph.js';
import { StoreRegistry } from './store.registry.js';
import { INJECTED_PARAMETERS, INJECTED_PROPERTIES, metadataList } from '../handlers/nest-metadata.js';

/** Nest's record of one provider, and the module it is in. */
type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Module = NonNullable<Wrapper['host']>;

/**
 * Stops the bootstrap when the options of a cluster need, by whatever way, this very cluster: each would wait for the other for ever. Nest notices where it
 * waits itself, not where a `ConfigRef` waits for a store that its module does not see; and it does not name the way.
 */
export const optionsCycleCheck = (cluster: string, optionsToken: InjectionToken): FactoryProvider => ({
  provide: Symbol('OptionsCycleCheck'),
  // Of what is there before anything is constructed, so that this comes first.
  inject: [ModulesContainer],
  useFactory: (modules: ModulesContainer) => {
    const all = [...modules.values()];
    const options = all.find((module) => isOfCluster(module, cluster))?.providers.get(optionsToken);
    const way = options && wayBack(options, options, all, new Set());
    if (!way) return;
    const names = way.filter(({ token }) => token !== ClusterRuntime).map(({ token }) => describeToken(token));
    throw new InvalidOptionsError(
      `the options of the cluster "${cluster}" need ${names.join(', which needs ')}, which needs these options: take them from something that does without this cluster`,
    );
  },
});

const isOfCluster = ({ providers }: Module, cluster: string): boolean =>
  [...providers.values()].some(({ instance }) => instance instanceof ClusterMarker && instance.cluster === cluster);

/** The providers by which one needs another, without those two; `undefined` when it does not. */
function wayBack(from: Wrapper, to: Wrapper, all: readonly Module[], seen: Set<Wrapper>): Wrapper[] | undefined {
  for (const needed of neededBy(from, all)) {
    if (needed === to) return [];
    if (seen.has(needed)) continue;
    seen.add(needed);
    const rest = wayBack(needed, to, all, seen);
    if (rest) return [needed, ...rest];
  }
  return undefined;
}

function neededBy({ host, inject, metatype }: Wrapper, all: readonly Module[]): Wrapper[] {
  if (!host) return [];
  const tokens = (inject ?? (isClass(metatype) ? injectedInto(metatype) : [])).map(tokenOf);
  // A ConfigRef waits for its store, in sight or not.
  const places = tokens.includes(StoreRegistry) ? [host, ...all] : [host];
  return tokens.flatMap((token) => firstOf(places, (place) => inSight(token, place, new Set())) ?? []);
}

function injectedInto(type: object): unknown[] {
  const parameters = [...metadataList('design:paramtypes', type)];
  for (const { index, param } of metadataList(INJECTED_PARAMETERS, type) as { index: number; param: unknown }[]) {
    parameters[index] = param;
  }
  const properties = metadataList(INJECTED_PROPERTIES, type) as { type: unknown }[];
  return [...parameters, ...properties.map((property) => property.type)];
}

/** Also of `{ token, optional }`. A `forwardRef` is none: Nest does not wait for what is behind it. */
const tokenOf = (entry: unknown): InjectionToken =>
  (typeof entry === 'object' && entry !== null && 'token' in entry ? entry.token : entry) as InjectionToken;

/** As Nest looks: in the module itself, then in what its imports export. */
function inSight(token: InjectionToken, { providers, imports }: Module, seen: Set<Module>): Wrapper | undefined {
  return providers.get(token) ?? firstOf([...imports], (module) => exported(token, module, seen));
}

function exported(token: InjectionToken, module: Module, seen: Set<Module>): Wrapper | undefined {
  if (seen.has(module)) return undefined;
  seen.add(module);
  const { providers, imports, exports } = module;
  if (exports.has(token) && providers.has(token)) return providers.get(token);
  const passedOn = [...imports].filter(({ metatype }) => exports.has(metatype));
  return firstOf(passedOn, (next) => exported(token, next, seen));
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
