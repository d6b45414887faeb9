import { type ExceptionFilter, HttpException, type Type } from '@nestjs/common';
import { ApplicationConfig, ExternalContextCreator, type ParamsFactory } from '@nestjs/core';
import { FinalFailure } from '../../watch/delivery/listener-failure.js';
import { type DeclaredEnhancers, declaredEnhancers } from './declared-enhancers.js';
import { ETCD_TRIGGER_CONTEXT, type EtcdTriggerContext } from '../etcd-trigger.context.js';
import type { DecoratedMethod } from '../handler.explorer.js';
import { HandlerFilters } from './handler.filters.js';
import { HandlerScope, moduleRefOf } from './handler.scope.js';
import { ActiveEnhancers, wasAdmitted } from './active-enhancers.js';
import { HandlerModuleContainer } from './handler-module.container.js';
import { kindOf } from '../decorators/parameters.decorator.js';

export type EnhancedCall = (context: EtcdTriggerContext) => Promise<unknown>;

export interface HandlerEnhancersOptions {
  /** The name under which the parameters of the method are kept. */
  readonly parameters: string;
  /** Pipes of single parameters. */
  readonly pipes: readonly unknown[];
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
  readonly #inForce: ActiveEnhancers;
  readonly #container: HandlerModuleContainer;
  readonly #creator: ExternalContextCreator;

  constructor(method: DecoratedMethod, options: HandlerEnhancersOptions) {
    this.#method = method;
    this.#options = options;
    this.#declared = declaredEnhancers(method);
    this.#inForce = new ActiveEnhancers(options.application ?? new ApplicationConfig());
    this.#container = new HandlerModuleContainer(this.#inForce, method.wrapper);
    this.#creator = ExternalContextCreator.fromContainer(this.#container);
  }

  /** Whether something has to be constructed for each call, though the handler itself has not. */
  get isScoped(): boolean {
    const injectables = this.#method.wrapper.host?.injectables;
    return this.#inForce.isScoped || this.#classes().some((type) => injectables?.get(type)?.isTransient);
  }

  /** For a handler with one instance. */
  bind(instance: unknown): EnhancedCall {
    return this.#around(instance, ({ subject }) => new HandlerScope(moduleRefOf(this.#method.wrapper), subject));
  }

  /** For one call. */
  async bindIn(scope: HandlerScope): Promise<EnhancedCall> {
    const instance = await scope.resolve(this.#method.wrapper.token);
    const constructed = new Map<unknown, unknown>();
    for (const type of this.#classes()) constructed.set(type, await scope.resolve(type));
    const ofApplication = await this.#inForce.construct(scope);
    this.#container.use(constructed);
    this.#inForce.use(ofApplication);
    return this.#around(instance, () => scope);
  }

  /** What is declared as a class. Filters are constructed when they are needed. */
  #classes(): Type[] {
    const { guards, interceptors, pipes } = this.#declared;
    const declared = [guards, interceptors, pipes, this.#options.pipes].flat();
    return declared.filter((enhancer): enhancer is Type => typeof enhancer === 'function');
  }

  #around(instance: unknown, scopeOf: (context: EtcdTriggerContext) => HandlerScope): EnhancedCall {
    const { method, implementation } = this.#method;
    const call = this.#creator.create(
      instance as object,
      implementation,
      method,
      this.#options.parameters,
      ARGUMENTS,
      undefined,
      undefined,
      { guards: true, interceptors: true, filters: false },
      ETCD_TRIGGER_CONTEXT,
    ) as (...args: unknown[]) => Promise<unknown>;
    const filters = [...this.#inForce.getGlobalFilters(), ...this.#declared.filters];
    return async (context) => {
      const runner = new HandlerFilters(filters, (type) => scopeOf(context).resolve<ExceptionFilter>(type));
      try {
        return await call(...context.args);
      } catch (error) {
        if (wasAdmitted(context) || !(error instanceof HttpException)) return runner.handle(error, context);
        // A guard's no: `false` is Nest's ForbiddenException. Whatever else it throws is a failure that another attempt may heal.
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
