import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { isA } from '../../foreign/foreign-error.js';
import { ETCD_TRIGGER_CONTEXT, type EtcdTriggerContext } from '../etcd-trigger.context.js';
import { CAUGHT, metadataList } from '../nest-metadata.js';

/** An instance, or a class that Nest instantiates. */
type DeclaredFilter = ExceptionFilter | (abstract new (...args: never[]) => ExceptionFilter);

/**
 * Runs the exception filters of a handler. Selects a filter as Nest does, the last declared one whose `@Catch` names
 * the error, but logs nothing: Nest's own runner logs error messages, which may quote values. If the filter returns,
 * the error counts as handled.
 */
export class HandlerFilters {
  constructor(
    private readonly declared: readonly unknown[],
    private readonly instantiate: (
      type: abstract new (...args: never[]) => ExceptionFilter,
    ) => Promise<ExceptionFilter>,
  ) {}

  /** @throws unknown the error itself if no filter catches it, otherwise the error of the filter */
  async handle(error: unknown, context: EtcdTriggerContext): Promise<unknown> {
    const filter = (this.declared as readonly DeclaredFilter[]).findLast((candidate) => catches(candidate, error));
    if (!filter) throw error;
    const instance = typeof filter === 'function' ? await this.instantiate(filter) : filter;
    return await (instance.catch(error, argumentsHost(context)) as unknown);
  }
}

function catches(filter: DeclaredFilter, error: unknown): boolean {
  const caught = metadataList(CAUGHT, typeof filter === 'function' ? filter : filter.constructor);
  return (
    caught.length === 0 ||
    caught.some((type) => typeof type === 'function' && isA(error, type as abstract new () => unknown))
  );
}

function argumentsHost({ args }: EtcdTriggerContext): ArgumentsHost {
  const at = (index: number): never => args[index] as never;
  return {
    getArgs: () => args as never,
    getArgByIndex: at,
    getType: () => ETCD_TRIGGER_CONTEXT as never,
    switchToRpc: () => ({ getData: () => at(0), getContext: () => at(1) }),
    switchToHttp: () => ({ getRequest: () => at(0), getResponse: () => at(1), getNext: () => at(2) }),
    switchToWs: () => ({ getClient: () => at(0), getData: () => at(1), getPattern: () => '' }),
  };
}
