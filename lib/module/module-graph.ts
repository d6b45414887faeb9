import type { DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';

/** Left in the module graph by every `forRoot`: one object for each call. */
export class ClusterMarker {
  constructor(readonly cluster: string) {}
}

/** Left in the module graph by every `forRoot` and `forFeature`, where the store of the cluster finds it before anything is constructed. */
export class DefinitionsMark {
  constructor(
    readonly cluster: string,
    readonly configs: readonly ConfigDefinition[],
  ) {}
}

/**
 * The names of all clusters of the application.
 * @throws InvalidOptionsError when one was imported twice
 */
export function clustersOf(discovery: DiscoveryService): ReadonlySet<string> {
  const names = marksOf(discovery, ClusterMarker).map(({ cluster }) => cluster);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new InvalidOptionsError(
      `EtcdTriggerModule.forRoot is imported twice for the cluster "${twice}": import it once, or give one of them another { cluster }`,
    );
  }
  return new Set(names);
}

/** The definitions of a cluster, from wherever in the application they come. */
export const definitionsOf = (discovery: DiscoveryService, cluster: string): ConfigDefinition[] =>
  marksOf(discovery, DefinitionsMark)
    .filter((mark) => mark.cluster === cluster)
    .flatMap(({ configs }) => configs);

function marksOf<T>(discovery: DiscoveryService, type: new (...args: never[]) => T): T[] {
  const instances: unknown[] = discovery.getProviders().map(({ instance }): unknown => instance);
  return [...new Set(instances.filter((instance): instance is T => instance instanceof type))];
}
