import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { ignoreRejection, isThenable } from '../../timing/time-limit.js';
import {
  type DeleteOptions,
  expectedRevision,
  type KeyWrite,
  plannedDelete,
  plannedPut,
  type PutOptions,
} from './config-writer.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';

/** What a transaction does, said before any of it is done. */
export interface ConfigTransaction {
  /** The value is checked by the definition of its key. `ifRevision`, `ifAbsent`: else nothing of the transaction is done. */
  put(key: string, value: object, options?: Pick<PutOptions, 'ifRevision' | 'ifAbsent'>): void;
  /** `ifRevision`: else nothing of the transaction is done. Deleting what is absent does nothing. */
  delete(key: string, options?: DeleteOptions): void;
}

/**
 * Collects what a transaction shall do and checks each value by the definition of its key.
 * @throws InvalidOptionsError, InvalidConfigError
 */
export async function planTransaction(
  build: (tx: ConfigTransaction) => unknown,
  feedOf: (operation: string, key: string) => DefinitionFeed,
): Promise<readonly KeyWrite[]> {
  const planned = new Map<string, () => Promise<KeyWrite>>();
  let isOpen = true;
  const plan = (operation: string, key: string, options: PutOptions, write: PlanWrite): void => {
    const what = `${operation} "${key}" in a transaction`;
    if (!isOpen)
      throw new InvalidOptionsError(`${what}: the transaction was sent already; build it synchronously`, { key });
    if (planned.has(key))
      throw new InvalidOptionsError(`${what}: it writes the key already, and can only once`, { key });
    const feed = feedOf(operation, key);
    const expected = expectedRevision(what, key, options);
    planned.set(key, () => write(feed, key, expected));
  };
  const result = build({
    put: (key, value, options = {}) => {
      plan('put', key, options, (feed, _, expected) => plannedPut(feed, key, value, expected));
    },
    delete: (key, options = {}) => {
      plan('delete', key, options, (...planned) => Promise.resolve(plannedDelete(...planned)));
    },
  });
  isOpen = false;
  if (isThenable(result)) {
    ignoreRejection(result);
    throw new InvalidOptionsError(
      'transaction: the function that builds it returned a promise; build it synchronously',
    );
  }
  if (planned.size === 0) throw new InvalidOptionsError('transaction: it writes nothing; call put or delete');
  return Promise.all(Array.from(planned.values(), (write) => write()));
}

type PlanWrite = (feed: DefinitionFeed, key: string, expected: number | undefined) => Promise<KeyWrite>;
