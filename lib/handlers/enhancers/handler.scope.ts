import { type ContextId, ContextIdFactory, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { ProviderWrapper } from '../handler.explorer.js';

type Token = ProviderWrapper['token'];

/** A fresh context of Nest for one call: request-scoped and transient providers are constructed in it, and `REQUEST` is what the call is about. */
export class HandlerScope {
  readonly contextId: ContextId = ContextIdFactory.create();

  constructor(
    private readonly moduleRef: ModuleRef,
    request: unknown,
  ) {
    moduleRef.registerRequestByContextId(request, this.contextId);
  }

  /** From the handler's own module: another may provide the same class differently. */
  async resolve<T>(token: Token): Promise<T> {
    return this.moduleRef.resolve<T>(token, this.contextId, { strict: true });
  }

  /** From the module that the provider belongs to. */
  async resolveFrom<T>(wrapper: ProviderWrapper): Promise<T> {
    return moduleRefOf(wrapper).resolve<T>(wrapper.token, this.contextId, { strict: true });
  }
}

/** Whether there is one instance for all calls. */
export const isSingleton = (wrapper: ProviderWrapper): boolean =>
  wrapper.isDependencyTreeStatic() && !wrapper.isTransient;

/** @throws InvalidOptionsError when Nest knows no module of it */
export function moduleRefOf({ host, name }: ProviderWrapper): ModuleRef {
  const moduleRef: unknown = host?.providers.get(ModuleRef)?.instance;
  if (moduleRef instanceof ModuleRef) return moduleRef;
  throw new InvalidOptionsError(`${String(name)} can never run: its class belongs to no module`);
}
