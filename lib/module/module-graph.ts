import type { DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { quoted } from '../foreign/foreign-text.js';
import { COPY, describeCopies, otherCopiesIn, OWN_COPY } from './package-copy.js';
import { isA } from '../foreign/foreign-error.js';

/** Marks a cluster in the module graph: every `forRoot` provides one. */
export class ClusterMarker {
  readonly [COPY] = OWN_COPY;

  constructor(readonly cluster: string) {}
}

/**
 * Carries definitions in the module graph: every `forRoot` and `forFeature` provides one. The store of the cluster
 * finds them all, because Nest scans all modules before it creates the first provider.
 */
export class DefinitionsMarker {
  readonly [COPY] = OWN_COPY;

  constructor(
    readonly cluster: string,
    readonly configs: readonly ConfigDefinition[],
  ) {}
}

/**
 * Returns the names of all clusters of the application.
 * @throws InvalidOptionsError if a cluster is imported twice, or by two copies of this package
 */
export function clustersOf(discovery: DiscoveryService): ReadonlySet<string> {
  const [other] = otherCopiesIn(providersOf(discovery));
  if (other) throw new InvalidOptionsError(describeCopies(other));
  const names = instancesOf(discovery, ClusterMarker).map(({ cluster }) => cluster);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  if (duplicate !== undefined) {
    throw new InvalidOptionsError(
      `EtcdTriggerModule.forRoot is imported twice for the cluster ${quoted(duplicate)}: import it once, or set a different { cluster }`,
    );
  }
  return new Set(names);
}

/** Returns the definitions of a cluster from all modules of the application. */
export const definitionsOf = (discovery: DiscoveryService, cluster: string): ConfigDefinition[] =>
  instancesOf(discovery, DefinitionsMarker)
    .filter((marker) => marker.cluster === cluster)
    .flatMap(({ configs }) => configs);

/** Returns the providers of the application that are instances of a class. */
export function instancesOf<T>(discovery: DiscoveryService, type: new (...args: never[]) => T): T[] {
  return [...new Set(providersOf(discovery).filter((instance): instance is T => isA(instance, type)))];
}

const providersOf = (discovery: DiscoveryService): unknown[] =>
  discovery.getProviders().map(({ instance }): unknown => instance);
