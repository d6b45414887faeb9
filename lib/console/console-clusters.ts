import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';
import { ClusterRuntime } from '../module/cluster.runtime.js';
import { instancesOf } from '../module/module-graph.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';
import type { StoreService } from '../store/store.service.js';
import { ConsoleError } from './console-error.js';

/** A key, and the definition that governs it. */
export interface GovernedKey {
  readonly cluster: ClusterRuntime;
  readonly feed: DefinitionFeed;
  readonly key: string;
}

/** Finds the clusters of the application and their definitions. */
@Injectable()
export class ConsoleClusters implements OnModuleInit {
  #all: readonly ClusterRuntime[] | undefined;

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws InvalidOptionsError if the application has no cluster */
  onModuleInit(): void {
    if (this.all.length > 0) return;
    throw new InvalidOptionsError(
      'EtcdTriggerConsoleModule shows the clusters of EtcdTriggerModule, but the application has none: import EtcdTriggerModule.forRoot()',
    );
  }

  get all(): readonly ClusterRuntime[] {
    this.#all ??= instancesOf(this.discovery, ClusterRuntime);
    return this.#all;
  }

  /**
   * Returns the cluster with a name, or the only one.
   * @throws ConsoleError if there is none
   */
  named(name: string | undefined): ClusterRuntime {
    const found = this.all.find((cluster) => cluster.name === name);
    if (found) return found;
    const [only, other] = this.all;
    if (name === undefined && only && !other) return only;
    if (name === undefined) throw new ConsoleError(400, '"cluster" is missing');
    throw new ConsoleError(404, `the application has no cluster ${quoted(name)}`);
  }

  /** @throws ConsoleError if no definition covers the key */
  governed(cluster: ClusterRuntime, key: string): GovernedKey {
    const { definitionFeeds } = cluster;
    const definition = definitionFeeds?.definitions.governing(key);
    const feed = definition && cluster.feeds.find((each) => each.definition === definition);
    if (feed) return { cluster, feed, key };
    const hint = definitionFeeds?.definitions.layerHint(key) ?? '';
    throw new ConsoleError(404, `no definition covers the key ${quoted(key)}${hint}`);
  }

  /** @throws ConsoleError while the store is not loaded */
  store({ store, name }: ClusterRuntime): StoreService {
    if (store) return store;
    throw new ConsoleError(503, `the store of the cluster ${quoted(name)} is not loaded`);
  }
}
