import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { DecoratedMethod, ProviderWrapper } from './handler.explorer.js';

type Method = (input: unknown) => unknown;

/** Calls the method with one argument: on the one instance, or on a fresh one for each call where the class is request-scoped or transient. */
export function invokerOf({ wrapper, method, name }: DecoratedMethod): Method {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
    const instance = wrapper.instance as Record<string, Method>;
    return (input) => instance[method]?.(input);
  }
  const moduleRef = moduleRefOf(wrapper, name);
  return async (input) => {
    const contextId = ContextIdFactory.create();
    moduleRef.registerRequestByContextId(input, contextId);
    // The token in the provider's own module: another module may provide the same class differently.
    const instance = await moduleRef.resolve<Record<string, Method>>(wrapper.token, contextId, { strict: true });
    return instance[method]?.(input);
  };
}

function moduleRefOf({ host }: ProviderWrapper, name: string): ModuleRef {
  const moduleRef: unknown = host?.providers.get(ModuleRef)?.instance;
  if (moduleRef instanceof ModuleRef) return moduleRef;
  throw new InvalidOptionsError(`${name} can never run: its class belongs to no module`);
}
