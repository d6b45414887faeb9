import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { className } from '../foreign/class-name.js';
import { printable } from '../foreign/foreign-text.js';
import type { DecoratedMethod, Method, ProviderWrapper } from './decorated-method.js';
import { clusterCronsOf } from './decorators/cluster-cron.decorator.js';
import { onElectedOf } from './decorators/on-elected.decorator.js';
import { onLeadershipLostOf } from './decorators/on-leadership-lost.decorator.js';
import { onWatchErrorsOf } from './decorators/on-watch-error.decorator.js';
import { onWatchResyncsOf } from './decorators/on-watch-resync.decorator.js';
import { watchKeysOf } from './decorators/watch-key.decorator.js';
import { type UnreachableMethod, unreachableMethods } from './unreachable-methods.js';

/** Finds the decorated methods of the application. It never subscribes. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Returns every decorated method of every provider and controller exactly once, for all clusters. */
  explore(): DecoratedMethod[] {
    return this.#wrappers().flatMap((wrapper) => this.#methodsOf(wrapper));
  }

  /** Returns the decorated methods that are visible, but that no event would ever reach. */
  unreachable(): UnreachableMethod[] {
    return unreachableMethods({
      wrappers: this.#wrappers(),
      prototypeOf,
      isDecorated: (method) => decoratorsOf(method) !== undefined,
    });
  }

  #wrappers(): ProviderWrapper[] {
    const seen = new Set<unknown>();
    return [...this.discovery.getProviders(), ...this.discovery.getControllers()].filter(
      (wrapper) => !wrapper.isAlias && isFirst(seen, wrapper),
    );
  }

  #methodsOf(wrapper: ProviderWrapper): DecoratedMethod[] {
    const prototype = prototypeOf(wrapper);
    if (!prototype) return [];
    const type = prototype.constructor as DecoratedMethod['type'];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const implementation = prototype[method];
      const metadata = typeof implementation === 'function' && decoratorsOf(implementation);
      if (!metadata) return [];
      const name = `${className(type)}.${printable(method)}`;
      return [{ wrapper, type, method, implementation: implementation as Method, name, ...metadata }];
    });
  }
}

type Decorators = Pick<
  DecoratedMethod,
  'watchKeys' | 'onResyncs' | 'onErrors' | 'onElected' | 'onLeadershipLost' | 'clusterCrons'
>;

function decoratorsOf(method: object): Decorators | undefined {
  const decorators: Decorators = {
    watchKeys: watchKeysOf(method),
    onResyncs: onWatchResyncsOf(method),
    onErrors: onWatchErrorsOf(method),
    onElected: onElectedOf(method),
    onLeadershipLost: onLeadershipLostOf(method),
    clusterCrons: clusterCronsOf(method),
  };
  return Object.values(decorators).some(({ length }) => length > 0) ? decorators : undefined;
}

/** An instance that is provided under several tokens counts as one handler. */
function isFirst(seen: Set<unknown>, wrapper: ProviderWrapper): boolean {
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null || !wrapper.isDependencyTreeStatic()) return true;
  if (seen.has(instance)) return false;
  seen.add(instance);
  return true;
}

/**
 * Nest's `any` ends here. A class that is instantiated per event has no instance yet, only its class. The prototype of
 * a Proxy may be unreadable.
 */
function prototypeOf({ instance, metatype, inject }: ProviderWrapper): Record<string, unknown> | undefined {
  const candidate: unknown = instance;
  if (typeof candidate === 'object' && candidate !== null) return readPrototype(candidate);
  if (typeof metatype !== 'function' || inject) return undefined;
  return (metatype as { readonly prototype?: Record<string, unknown> }).prototype;
}

function readPrototype(instance: object): Record<string, unknown> | undefined {
  try {
    return (Object.getPrototypeOf(instance) as Record<string, unknown> | null) ?? undefined;
  } catch {
    return undefined;
  }
}
