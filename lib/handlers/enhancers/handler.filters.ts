import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { ETCD_TRIGGER_CONTEXT, type EtcdTriggerContext } from '../etcd-trigger.context.js';
import { CAUGHT, listAt } from './nest-metadata.js';

/** A filter, or the class of one that Nest constructs. */
type Declared = ExceptionFilter | (abstract new (...args: never[]) => ExceptionFilter);

/**
 * The exception filters of a handler. Nest's own runner logs the message of what a filter took without an answer; messages may quote values, so this one
 * follows the same rules (the last declared filter whose `@Catch` names the error) and logs nothing. What a filter returns from is handled.
 */
export class HandlerFilters {
  constructor(
    private readonly declared: readonly unknown[],
    private readonly construct: (type: abstract new (...args: never[]) => ExceptionFilter) => Promise<ExceptionFilter>,
  ) {}

  /** @throws unknown the error, where no filter is for it, or what the filter throws */
  async handle(error: unknown, context: EtcdTriggerContext): Promise<unknown> {
    const filter = (this.declared as readonly Declared[]).findLast((candidate) => isFor(candidate, error));
    if (!filter) throw error;
    const instance = typeof filter === 'function' ? await this.construct(filter) : filter;
    return await (instance.catch(error, argumentsHost(context)) as unknown);
  }
}

function isFor(filter: Declared, error: unknown): boolean {
  const caught = listAt(CAUGHT, typeof filter === 'function' ? filter : filter.constructor);
  return caught.length === 0 || caught.some((type) => typeof type === 'function' && error instanceof type);
}

/** What a filter is told of the call. */
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
