import { Injectable } from '@nestjs/common';
import { typeName } from '../dto/value-type.js';
import type { ClusterRuntime } from '../module/cluster.runtime.js';
import { describeActivity } from '../module/etcd-trigger.inspector.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import { ConsoleClusters } from './console-clusters.js';
import { ConsoleEntries } from './console-entries.js';
import { codecName } from './key-listing.js';

/** Describes the clusters for the page, without any value. The cost does not depend on the number of keys. */
@Injectable()
export class ConsoleState {
  constructor(
    private readonly clusters: ConsoleClusters,
    private readonly entries: ConsoleEntries,
  ) {}

  /** `withSchemas`: with the JSON Schemas of the definitions. */
  clusterStates(withSchemas: boolean): object[] {
    return this.clusters.all.map((cluster) => {
      const { targets, handlers, live, crons, failing, coordination } = describeActivity(cluster);
      return {
        name: cluster.name,
        status: cluster.storeStatus,
        targets,
        handlers,
        live,
        crons,
        failing,
        coordination: coordination ?? null,
        audit: cluster.options.audit !== undefined,
        definitions: cluster.feeds.map((feed) => this.#definition(feed, withSchemas)),
      };
    });
  }

  get instance(): object {
    const [first] = this.clusters.all;
    return { podName: first?.options.podName, serviceName: first?.options.serviceName };
  }

  handlers(cluster: ClusterRuntime): ReturnType<typeof describeActivity>['handlers'] {
    return describeActivity(cluster).handlers;
  }

  #definition({ definition, cache }: DefinitionFeed, withSchemas: boolean): object {
    const { target, type, required, secret, layers } = definition;
    return {
      target,
      type: typeName(type),
      required,
      secret,
      codec: codecName(definition),
      ...(layers && { layers }),
      ...(withSchemas && { schema: this.entries.schemas.of(definition) }),
      ...cache.counts(),
    };
  }
}
