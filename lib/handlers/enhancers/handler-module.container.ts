import { type ApplicationConfig, ModulesContainer, NestContainer } from '@nestjs/core';
import type { ProviderWrapper } from '../decorated-method.js';

type Module = NonNullable<ProviderWrapper['host']>;

/**
 * A container that holds only the module of one handler. Nest finds the module of an enhancer by searching the
 * providers for the handler's class: it may find another module that provides the same class, and finds none for a
 * controller.
 */
export class HandlerModuleContainer extends NestContainer {
  readonly #modules = new ModulesContainer();
  #scopedInstances: ReadonlyMap<unknown, unknown> = new Map();

  constructor(config: ApplicationConfig, { host }: ProviderWrapper) {
    super(config);
    if (!host) return;
    const injectables = { get: (type: unknown) => this.#injectable(host, type) };
    const module: unknown = Object.create(host, {
      hasProvider: { value: () => true },
      injectables: { value: injectables },
    });
    this.#modules.set(host.id, module as Module);
  }

  override getModules(): ModulesContainer {
    return this.#modules;
  }

  /**
   * Sets the enhancer instances of one call, by class. Nest 11 finds neither transient ones nor those of controllers.
   */
  useInstances(instances: ReadonlyMap<unknown, unknown>): void {
    this.#scopedInstances = instances;
  }

  #injectable({ injectables }: Module, type: unknown): unknown {
    const wrapper = injectables.get(type as string);
    const instance = this.#scopedInstances.get(type);
    if (!wrapper || instance === undefined) return wrapper;
    const host = { instance, isResolved: true, isConstructorCalled: true };
    return Object.create(wrapper, { getInstanceByContextId: { value: () => host } }) as unknown;
  }
}
