import type { CallHandler, ExceptionFilter, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { EtcdTriggerContext } from '../etcd-trigger.context.js';
import type { ProviderWrapper } from '../decorated-method.js';
import type { HandlerScope } from './handler.scope.js';

interface ScopedEnhancers {
  readonly guards: ReturnType<ApplicationConfig['getGlobalGuards']>;
  readonly interceptors: ReturnType<ApplicationConfig['getGlobalInterceptors']>;
  readonly pipes: ReturnType<ApplicationConfig['getGlobalPipes']>;
  readonly filters: ReturnType<ApplicationConfig['getGlobalFilters']>;
}

/**
 * The global enhancers as Nest's `ApplicationConfig`. Request-scoped ones are instantiated for each call, and set with
 * `useScoped` before it.
 */
export class ActiveEnhancers extends ApplicationConfig {
  #scoped: ScopedEnhancers = { guards: [], interceptors: [], pipes: [], filters: [] };

  constructor(private readonly application: ApplicationConfig) {
    super();
  }

  /** True if any global enhancer is request-scoped or transient. */
  get isScoped(): boolean {
    const { application } = this;
    return [
      application.getGlobalRequestGuards(),
      application.getGlobalRequestInterceptors(),
      application.getGlobalRequestPipes(),
      application.getGlobalRequestFilters(),
    ].some((wrappers) => wrappers.length > 0);
  }

  async resolveScoped(scope: HandlerScope): Promise<ScopedEnhancers> {
    const { application } = this;
    const all = <T>(wrappers: readonly ProviderWrapper[]): Promise<T[]> =>
      Promise.all(wrappers.map((wrapper) => scope.resolveFrom<T>(wrapper)));
    const [guards, interceptors, pipes, filters] = await Promise.all([
      all<ScopedEnhancers['guards'][number]>(application.getGlobalRequestGuards()),
      all<NestInterceptor>(application.getGlobalRequestInterceptors()),
      all<ScopedEnhancers['pipes'][number]>(application.getGlobalRequestPipes()),
      all<ExceptionFilter>(application.getGlobalRequestFilters()),
    ]);
    return { guards, interceptors, pipes, filters };
  }

  useScoped(scoped: ScopedEnhancers): void {
    this.#scoped = scoped;
  }

  override getGlobalGuards(): ScopedEnhancers['guards'] {
    return [...this.application.getGlobalGuards(), ...this.#scoped.guards];
  }

  /** The admission interceptor runs first: a call that it has not seen did not pass the guards. */
  override getGlobalInterceptors(): NestInterceptor[] {
    return [ADMISSION_INTERCEPTOR, ...this.application.getGlobalInterceptors(), ...this.#scoped.interceptors];
  }

  override getGlobalPipes(): ScopedEnhancers['pipes'] {
    return [...this.application.getGlobalPipes(), ...this.#scoped.pipes];
  }

  override getGlobalFilters(): ExceptionFilter[] {
    return [...this.application.getGlobalFilters(), ...this.#scoped.filters];
  }
}

const ADMITTED = new WeakSet<EtcdTriggerContext>();

const ADMISSION_INTERCEPTOR: NestInterceptor = {
  intercept: (context: ExecutionContext, next: CallHandler) => {
    ADMITTED.add(EtcdTriggerContext.of(context));
    return next.handle();
  },
};

/** True if the guards have admitted the call. */
export const wasAdmitted = (context: EtcdTriggerContext): boolean => ADMITTED.has(context);
