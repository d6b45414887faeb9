import type { ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig, type ContextId, ExternalContextCreator, type ParamsFactory } from '@nestjs/core';
import { FinalFailure } from '../watch/listener-failure.js';
import { type DeclaredEnhancers, declaredEnhancers } from './declared-enhancers.js';
import { ETCD_TRIGGER_CONTEXT, type EtcdTriggerContext } from './etcd-trigger.context.js';
import type { DecoratedMethod } from './handler.explorer.js';
import { HandlerFilters } from './handler.filters.js';
import { HandlerScope, isSingleton, moduleRefOf } from './handler.scope.js';
import { EnhancersInForce, HostContainer, wasAdmitted } from './nest-container.js';
import { kindOf } from './parameters.decorator.js';

export type EnhancedCall = (context: EtcdTriggerContext) => Promise<unknown>;

export interface HandlerEnhancersOptions {
  /** The name under which the parameters of the method are kept. */
  readonly parameters: string;
  /** What is declared for the whole application, where that counts for handlers. */
  readonly application: ApplicationConfig | undefined;
  /** A guard said no. */
  readonly refused: () => void;
}

/** Runs the guards, interceptors, pipes and filters of one method, by the parts of Nest that run them for HTTP. */
export class HandlerEnhancers {
  readonly #method: DecoratedMethod;
  readonly #options: HandlerEnhancersOptions;
  readonly #declared: DeclaredEnhancers;
  readonly #inForce: EnhancersInForce;
  readonly #creator: ExternalContextCreator;

  constructor(method: DecoratedMethod, options: HandlerEnhancersOptions) {
    this.#method = method;
    this.#options = options;
    this.#declared = declaredEnhancers(method);
    this.#inForce = new EnhancersInForce(options.application ?? new ApplicationConfig());
    this.#creator = ExternalContextCreator.fromContainer(new HostContainer(this.#inForce, method.wrapper));
  }

  /** Whether something has to be constructed for each call, though the handler itself has not. */
  get isScoped(): boolean {
    return this.#inForce.isScoped;
  }

  /** For a handler with one instance. */
  bind(instance: unknown): EnhancedCall {
    return this.#around(
      instance,
      undefined,
      ({ subject }) => new HandlerScope(moduleRefOf(this.#method.wrapper), subject),
    );
  }

  /** For one call. */
  async bindIn(scope: HandlerScope): Promise<EnhancedCall> {
    const { wrapper } = this.#method;
    const instance = await scope.resolve(wrapper.token);
    const scoped = await this.#inForce.construct(scope);
    this.#inForce.use(scoped);
    return this.#around(instance, isSingleton(wrapper) ? undefined : scope.contextId, () => scope);
  }

  #around(
    instance: unknown,
    contextId: ContextId | undefined,
    scopeOf: (context: EtcdTriggerContext) => HandlerScope,
  ): EnhancedCall {
    const { wrapper, method, implementation } = this.#method;
    const call = this.#creator.create(
      instance as object,
      implementation,
      method,
      this.#options.parameters,
      ARGUMENTS,
      contextId,
      wrapper.id,
      { guards: true, interceptors: true, filters: false },
      ETCD_TRIGGER_CONTEXT,
    ) as (...args: unknown[]) => Promise<unknown>;
    const filters = [...this.#inForce.getGlobalFilters(), ...this.#declared.filters];
    return async (context) => {
      const runner = new HandlerFilters(filters, (type) => scopeOf(context).resolve<ExceptionFilter>(type));
      try {
        return await call(...context.args);
      } catch (error) {
        if (wasAdmitted(context)) return runner.handle(error, context);
        this.#options.refused();
        return runner.handle(error, context).catch((thrown: unknown) => {
          throw new FinalFailure(thrown, 'a guard refused it');
        });
      }
    };
  }
}

const ARGUMENTS: ParamsFactory = {
  exchangeKeyForValue(number, data, [, context]: [unknown, EtcdTriggerContext]): unknown {
    switch (kindOf(number)) {
      case 'payload':
        return context.payload;
      case 'previous':
        return context.previous;
      case 'event':
        return context.event;
      case 'key':
        return context.event.key;
      case 'key-parameter':
        return context.keyParameters[data as string];
      case 'signal':
        return context.signal;
      case 'context':
        return context;
      default:
        return undefined;
    }
  },
};
