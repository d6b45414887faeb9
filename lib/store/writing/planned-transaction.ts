import { checkKnown } from '../../option-checks.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { ignoreRejection, isThenable } from '../../foreign/thenable.js';
import type { Fence } from '../../backend/fence.js';
import { expectedRevision, type KeyWrite, plannedDelete, plannedPut, type PutOptions } from './config-writer.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { ValueType } from '../../dto/value-type.js';
import { writeArguments } from './write-arguments.js';
import type { ConfigTransaction, TransactionPutOptions } from '../../config-transaction.js';
import { quoted } from '../../foreign/foreign-text.js';

/** The content of a transaction. */
export interface PlannedTransaction {
  readonly writes: readonly KeyWrite[];
  readonly fences: readonly Fence[];
}

/**
 * Collects the writes of a transaction and validates each value with the definition of its key. `mayBeEmpty`: the
 * transaction needs no write.
 * @throws InvalidOptionsError, InvalidConfigError
 */
export async function planTransaction(
  build: (tx: ConfigTransaction) => unknown,
  feedOf: (operation: string, key: string, type: ValueType | undefined) => DefinitionFeed,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): Promise<PlannedTransaction> {
  const planned = new Map<string, () => Promise<KeyWrite>>();
  const fences = new Set<Fence>();
  let isOpen = true;
  const plan = (operation: 'put' | 'delete', { key, type, options }: WriteCall, write: PlanWrite): void => {
    const what = `${operation} ${quoted(key)} in a transaction`;
    if (!isOpen)
      throw new InvalidOptionsError(`${what}: the transaction has already been sent; build it synchronously`, { key });
    if (planned.has(key))
      throw new InvalidOptionsError(`${what}: the transaction already writes the key, and can write it only once`, {
        key,
      });
    const feed = feedOf(operation, key, type);
    checkKnown(options, operation === 'put' ? PUT_OPTIONS : DELETE_OPTIONS, { owner: ` of ${what}` });
    const expected = expectedRevision(what, key, options);
    planned.set(key, () => write(feed, key, expected));
  };
  const result = build({
    put: (key: string, ...given: readonly unknown[]) => {
      const { type, value, options = {} } = writeArguments<TransactionPutOptions>(key, given);
      plan('put', { key, type, options }, (feed, _, expected) =>
        plannedPut(feed, key, { value, form: type ? 'class' : 'document' }, expected),
      );
    },
    delete: (key, options = {}) => {
      plan('delete', { key, options }, (...planned) => Promise.resolve(plannedDelete(...planned)));
    },
    requireFence: (fence) => {
      if (!isOpen) {
        throw new InvalidOptionsError(
          'requireFence in a transaction: the transaction has already been sent; build it synchronously',
        );
      }
      fences.add(fence);
    },
  });
  isOpen = false;
  if (isThenable(result)) {
    ignoreRejection(result);
    throw new InvalidOptionsError(
      'transaction: the build function returned a promise; build the transaction synchronously',
    );
  }
  if (planned.size === 0 && !mayBeEmpty)
    throw new InvalidOptionsError('transaction: it contains no write; call put or delete');
  return { writes: await Promise.all(Array.from(planned.values(), (write) => write())), fences: [...fences] };
}

/** A fence applies to the whole transaction: `requireFence`. */
const DELETE_OPTIONS = { ifRevision: true } as const;
const PUT_OPTIONS = { ...DELETE_OPTIONS, ifAbsent: true } as const;

/** The arguments of a `put` or `delete`, without its value. */
interface WriteCall {
  readonly key: string;
  readonly type?: ValueType | undefined;
  readonly options: PutOptions;
}

type PlanWrite = (feed: DefinitionFeed, key: string, expected: number | undefined) => Promise<KeyWrite>;
