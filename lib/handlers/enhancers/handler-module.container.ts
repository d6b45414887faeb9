import { type ApplicationConfig, ModulesContainer, NestContainer } from '@nestjs/core';
import type { ProviderWrapper } from '../handler.explorer.js';

type Module = NonNullable<ProviderWrapper['host']>;

/**
 * The application as seen from one handler: its own module alone. Nest looks for the module of an enhancer among the providers, by class; so it would take
 * another module's, and of a controller none.
 */
export class HandlerModuleContainer extends NestContainer {
  readonly #modules = new ModulesContainer();
  #constructed: ReadonlyMap<unknown, unknown> = new Map();

  constructor(config: ApplicationConfig, { host }: ProviderWrapper) {
    super(config);
    if (!host) return;
    const injectables = { get: (type: unknown) => this.#injectable(host, type) };
    const seen: unknown = Object.create(host, {
      hasProvider: { value: () => true },
      injectables: { value: injectables },
    });
    this.#modules.set(host.id, seen as Module);
  }

  override getModules(): ModulesContainer {
    return this.#modules;
  }

  /** Enhancers that were constructed for one call, by their classes. Nest 11 does not find transient ones, nor those of controllers. */
  use(constructed: ReadonlyMap<unknown, unknown>): void {
    this.#constructed = constructed;
  }

  #injectable({ injectables }: Module, type: unknown): unknown {
    const wrapper = injectables.get(type as string);
    const instance = this.#constructed.get(type);
    if (!wrapper || instance === undefined) return wrapper;
    const host = { instance, isResolved: true, isConstructorCalled: true };
    return Object.create(wrapper, { getInstanceByContextId: { value: () => host } }) as unknown;
  }
}
