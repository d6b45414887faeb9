import { type ExceptionFilter, HttpException, type Type } from '@nestjs/common';
import { ApplicationConfig, ExternalContextCreator, type ParamsFactory } from '@nestjs/core';
import { isA } from '../../foreign/foreign-error.js';
import { FinalFailure } from '../../watch/delivery/listener-failure.js';
import type { DecoratedMethod } from '../decorated-method.js';
import { kindOf } from '../decorators/parameters.decorator.js';
import { ETCD_TRIGGER_CONTEXT, type EtcdTriggerContext } from '../etcd-trigger.context.js';
import { ActiveEnhancers, wasAdmitted } from './active-enhancers.js';
import { type DeclaredEnhancers, declaredEnhancers } from './declared-enhancers.js';
import { HandlerModuleContainer } from './handler-module.container.js';
import { HandlerFilters } from './handler.filters.js';
import { HandlerScope } from './handler.scope.js';

export type EnhancedCall = (context: EtcdTriggerContext) => Promise<unknown>;

export interface HandlerEnhancersOptions {
  /** The metadata key of the method's parameters. */
  readonly parameters: string;
  /** The pipes of decorated parameters. */
  readonly pipes: readonly unknown[];
  /** Provides the global enhancers; `undefined` unless `handlers.useGlobalEnhancers` is set. */
  readonly application: ApplicationConfig | undefined;
  /** Called when a guard denies a call. */
  readonly onDenied: () => void;
}

/** Runs the guards, interceptors, pipes and filters of one method through Nest's own `ExternalContextCreator`. */
export class HandlerEnhancers {
  readonly #method: DecoratedMethod;
  readonly #options: HandlerEnhancersOptions;
  readonly #declared: DeclaredEnhancers;
  readonly #active: ActiveEnhancers;
  readonly #container: HandlerModuleContainer;
  readonly #creator: ExternalContextCreator;

  constructor(method: DecoratedMethod, options: HandlerEnhancersOptions) {
    this.#method = method;
    this.#options = options;
    this.#declared = declaredEnhancers(method);
    this.#active = new ActiveEnhancers(options.application ?? new ApplicationConfig());
    this.#container = new HandlerModuleContainer(this.#active, method.wrapper);
    this.#creator = ExternalContextCreator.fromContainer(this.#container);
  }

  /** True if any enhancer must be instantiated for each call, even for a singleton handler. */
  get isScoped(): boolean {
    const injectables = this.#method.wrapper.host?.injectables;
    return this.#active.isScoped || this.#classes().some((type) => injectables?.get(type)?.isTransient);
  }

  /** Binds a singleton handler. */
  bind(instance: unknown): EnhancedCall {
    return this.#wrap(instance, ({ subject }) => new HandlerScope(this.#method.wrapper, subject));
  }

  /** Binds the handler for one call, with the handler and its enhancers instantiated in the given scope. */
  async bindIn(scope: HandlerScope): Promise<EnhancedCall> {
    const instance = await scope.resolve(this.#method.wrapper.token);
    const instances = new Map<unknown, unknown>();
    for (const type of this.#classes()) instances.set(type, await scope.resolve(type));
    const globals = await this.#active.resolveScoped(scope);
    // Nothing may be awaited from here on: another call of the handler would replace these instances.
    this.#container.useInstances(instances);
    this.#active.useScoped(globals);
    return this.#wrap(instance, () => scope);
  }

  /** The enhancers declared as classes, without filters: those are instantiated only when a call fails. */
  #classes(): Type[] {
    const { guards, interceptors, pipes } = this.#declared;
    const declared = [guards, interceptors, pipes, this.#options.pipes].flat();
    return declared.filter((enhancer): enhancer is Type => typeof enhancer === 'function');
  }

  #wrap(instance: unknown, scopeOf: (context: EtcdTriggerContext) => HandlerScope): EnhancedCall {
    const { method, implementation } = this.#method;
    const call = this.#creator.create(
      instance as object,
      implementation,
      method,
      this.#options.parameters,
      PARAMETER_VALUES,
      undefined,
      undefined,
      { guards: true, interceptors: true, filters: false },
      ETCD_TRIGGER_CONTEXT,
    ) as (...args: unknown[]) => Promise<unknown>;
    const filters = [...this.#active.getGlobalFilters(), ...this.#declared.filters];
    return async (context) => {
      const runner = new HandlerFilters(filters, (type) => scopeOf(context).resolve<ExceptionFilter>(type));
      try {
        return await call(...context.args);
      } catch (error) {
        if (wasAdmitted(context) || !isA(error, HttpException)) return runner.handle(error, context);
        // The guard denied the call: Nest turns `false` into a ForbiddenException. Any other error of a guard is a
        // failure that is retried.
        this.#options.onDenied();
        return runner.handle(error, context).catch((thrown: unknown) => {
          throw new FinalFailure(thrown, 'a guard denied it');
        });
      }
    };
  }
}

const PARAMETER_VALUES: ParamsFactory = {
  exchangeKeyForValue(number, data, [, context]: [unknown, EtcdTriggerContext]): unknown {
    const kind = kindOf(number);
    // A method may have a @WatchKey, too. Its parameters for events have no value at a tick.
    if (context.tick && kind !== 'payload' && kind !== 'signal' && kind !== 'context') return undefined;
    switch (kind) {
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
      case 'fence':
        return context.fence;
      case 'context':
        return context;
      default:
        return undefined;
    }
  },
};
