import { type ContextId, ContextIdFactory, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { DecoratedMethod, Method, ProviderWrapper } from '../decorated-method.js';

type Token = ProviderWrapper['token'];

/** Nest's DI context of one call: instantiates request-scoped and transient providers, and provides `REQUEST`. */
export class HandlerScope {
  readonly contextId: ContextId;
  readonly #moduleRef: ModuleRef;

  /**
   * The application's `ContextIdStrategy` receives `request` and decides which durable providers the call uses. As in
   * Nest, the `REQUEST` of durable providers is the payload of the strategy. A strategy that throws, because it only
   * knows HTTP requests, decides nothing: the call has a context of its own.
   */
  constructor(wrapper: ProviderWrapper, request: object) {
    this.#moduleRef = moduleRefOf(wrapper);
    this.contextId = contextIdOf(request);
    const { payload } = this.contextId;
    this.#moduleRef.registerRequestByContextId(wrapper.isDependencyTreeDurable() ? payload : request, this.contextId);
  }

  /** Resolves from the handler's own module: another module may provide the same class differently. */
  async resolve<T>(token: Token): Promise<T> {
    return this.#moduleRef.resolve<T>(token, this.contextId, { strict: true });
  }

  /** Resolves from the module that the provider belongs to. */
  async resolveFrom<T>(wrapper: ProviderWrapper): Promise<T> {
    return moduleRefOf(wrapper).resolve<T>(wrapper.token, this.contextId, { strict: true });
  }
}

function contextIdOf(request: object): ContextId {
  try {
    const contextId: ContextId = ContextIdFactory.getByRequest(request);
    const getParent = contextId.getParent?.bind(contextId);
    if (!getParent) return contextId;
    // Nest calls it later, for each provider, without a guard.
    contextId.getParent = (info) => {
      try {
        const parent: unknown = getParent(info);
        return typeof parent === 'object' && parent !== null ? (parent as ContextId) : contextId;
      } catch {
        return contextId;
      }
    };
    return contextId;
  } catch {
    return ContextIdFactory.create();
  }
}

/**
 * Calls the method on its singleton instance. A request-scoped or transient class is instantiated for each call, with
 * `request` as its `REQUEST`.
 */
export function scopedMethodOf({ wrapper, method }: DecoratedMethod): (request: object, args: unknown[]) => unknown {
  if (isSingleton(wrapper)) {
    const instance = wrapper.instance as Record<string, Method>;
    return (_request, args) => instance[method]?.(...args);
  }
  moduleRefOf(wrapper);
  return async (request, args) => {
    const instance = await new HandlerScope(wrapper, request).resolve<Record<string, Method>>(wrapper.token);
    return instance[method]?.(...args);
  };
}

/** True if all calls share one instance. */
export const isSingleton = (wrapper: ProviderWrapper): boolean =>
  wrapper.isDependencyTreeStatic() && !wrapper.isTransient;

/** @throws InvalidOptionsError if the provider belongs to no module */
export function moduleRefOf({ host, name }: ProviderWrapper): ModuleRef {
  const moduleRef: unknown = host?.providers.get(ModuleRef)?.instance;
  if (moduleRef instanceof ModuleRef) return moduleRef;
  throw new InvalidOptionsError(`${String(name)} can never run: its class belongs to no module`);
}
