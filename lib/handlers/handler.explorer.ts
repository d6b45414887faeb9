import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { DecoratedMethod, Method, ProviderWrapper } from './decorated-method.js';
import { clusterCronsOf } from './decorators/cluster-cron.decorator.js';
import { onElectedOf } from './decorators/on-elected.decorator.js';
import { onLeadershipLostOf } from './decorators/on-leadership-lost.decorator.js';
import { onWatchErrorsOf } from './decorators/on-watch-error.decorator.js';
import { onWatchResyncsOf } from './decorators/on-watch-resync.decorator.js';
import { watchKeysOf } from './decorators/watch-key.decorator.js';

/** Finds the decorated methods of the application. It never subscribes. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Returns every decorated method of every provider and controller exactly once, for all clusters. */
  explore(): DecoratedMethod[] {
    const seen = new Set<unknown>();
    return [...this.discovery.getProviders(), ...this.discovery.getControllers()]
      .filter((wrapper) => !wrapper.isAlias && isFirst(seen, wrapper))
      .flatMap((wrapper) => this.#methodsOf(wrapper));
  }

  #methodsOf(wrapper: ProviderWrapper): DecoratedMethod[] {
    const prototype = prototypeOf(wrapper);
    if (!prototype) return [];
    const type = prototype.constructor as DecoratedMethod['type'];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const implementation = prototype[method];
      if (typeof implementation !== 'function') return [];
      const metadata = {
        watchKeys: watchKeysOf(implementation),
        onResyncs: onWatchResyncsOf(implementation),
        onErrors: onWatchErrorsOf(implementation),
        onElected: onElectedOf(implementation),
        onLeadershipLost: onLeadershipLostOf(implementation),
        clusterCrons: clusterCronsOf(implementation),
      };
      if (Object.values(metadata).every((decorators) => decorators.length === 0)) return [];
      const name = `${type.name}.${method}`;
      return [{ wrapper, type, method, implementation: implementation as Method, name, ...metadata }];
    });
  }
}

/** An instance that is provided under several tokens counts as one handler. */
function isFirst(seen: Set<unknown>, wrapper: ProviderWrapper): boolean {
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null || !wrapper.isDependencyTreeStatic()) return true;
  if (seen.has(instance)) return false;
  seen.add(instance);
  return true;
}

/** Nest's `any` ends here. A class that is instantiated per event has no instance yet, only its class. */
function prototypeOf({ instance, metatype, inject }: ProviderWrapper): Record<string, unknown> | undefined {
  const candidate: unknown = instance;
  if (typeof candidate === 'object' && candidate !== null)
    return Object.getPrototypeOf(candidate) as Record<string, unknown>;
  if (typeof metatype !== 'function' || inject) return undefined;
  return (metatype as { readonly prototype?: Record<string, unknown> }).prototype;
}
