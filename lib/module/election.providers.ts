import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { isClass } from '../dto/class-metadata.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import { INJECTED_PARAMETERS, INJECTED_PROPERTIES, metadataList } from '../handlers/nest-metadata.js';
import { ClusterRuntime } from './cluster.runtime.js';
import { electionRequestsTo, type ElectionRequest } from './inject-election.decorator.js';

/** Provides an `Election` for each `@InjectElection` of any loaded class. */
export const electionProviders = (cluster: string): FactoryProvider[] => electionRequestsTo(cluster).map(providerOf);

/** A class may be loaded without being part of the application: only an injected election has this candidate. */
const providerOf = ({ name, cluster, token }: ElectionRequest): FactoryProvider => ({
  provide: token,
  inject: [ClusterRuntime, DiscoveryService],
  useFactory: ({ coordination }: ClusterRuntime, discovery: DiscoveryService) => {
    const [dependent] = dependentsOf(discovery, token);
    if (dependent === undefined) return undefined;
    if (!coordination) throw coordinationMissing(`${dependent}: @InjectElection('${name}')`, cluster);
    return coordination.election(name);
  },
});

/** Returns the names of the classes and factories that inject the token. */
export function dependentsOf(discovery: DiscoveryService, token: InjectionToken): string[] {
  return [...discovery.getProviders(), ...discovery.getControllers()]
    .filter(({ metatype, inject }) => (isClass(metatype) && injects(metatype, token)) || inject?.includes(token))
    .map(({ name }) => String(name));
}

function injects(type: object, token: InjectionToken): boolean {
  const parameters = metadataList(INJECTED_PARAMETERS, type) as {
    readonly index: number;
    readonly param: unknown;
  }[];
  const properties = metadataList(INJECTED_PROPERTIES, type) as { readonly type: unknown }[];
  const isInjectedByType = metadataList('design:paramtypes', type).some(
    (parameter, position) => parameter === token && parameters.every(({ index }) => index !== position),
  );
  return (
    isInjectedByType ||
    parameters.some(({ param }) => param === token) ||
    properties.some((property) => property.type === token)
  );
}
