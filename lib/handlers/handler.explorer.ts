import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { onWatchErrorsOf, type OnWatchErrorMetadata } from './decorators/on-watch-error.decorator.js';
import { onWatchResyncsOf, type OnWatchResyncMetadata } from './decorators/on-watch-resync.decorator.js';
import { watchKeysOf, type WatchKeyMetadata } from './decorators/watch-key.decorator.js';

/** Nest's record of one provider or controller. */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

export type Method = (...args: unknown[]) => unknown;

/** A decorated method, and where it lives. */
export interface DecoratedMethod {
  readonly wrapper: ProviderWrapper;
  readonly type: abstract new (...args: never[]) => unknown;
  readonly method: string;
  readonly implementation: Method;
  /** `Class.method`, for messages. */
  readonly name: string;
  readonly watchKeys: readonly WatchKeyMetadata[];
  readonly onResyncs: readonly OnWatchResyncMetadata[];
  readonly onErrors: readonly OnWatchErrorMetadata[];
}

/** Finds the decorated methods of the application; it never subscribes. */
@Injectable()
export class HandlerExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** Every decorated method of every provider and controller once, whichever cluster it names. */
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
      const found = {
        watchKeys: watchKeysOf(implementation),
        onResyncs: onWatchResyncsOf(implementation),
        onErrors: onWatchErrorsOf(implementation),
      };
      if (Object.values(found).every((decorators) => decorators.length === 0)) return [];
      const name = `${type.name}.${method}`;
      return [{ wrapper, type, method, implementation: implementation as Method, name, ...found }];
    });
  }
}

/** One object may be provided under several tokens; it is one handler. */
function isFirst(seen: Set<unknown>, wrapper: ProviderWrapper): boolean {
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null || !wrapper.isDependencyTreeStatic()) return true;
  if (seen.has(instance)) return false;
  seen.add(instance);
  return true;
}

/** Nest's `any` ends here. A class that is constructed for each event has no instance yet, only its class. */
function prototypeOf({ instance, metatype, inject }: ProviderWrapper): Record<string, unknown> | undefined {
  const candidate: unknown = instance;
  if (typeof candidate === 'object' && candidate !== null)
    return Object.getPrototypeOf(candidate) as Record<string, unknown>;
  if (typeof metatype !== 'function' || inject) return undefined;
  return (metatype as { readonly prototype?: Record<string, unknown> }).prototype;
}
