import { checkFunction, checkKnown, checkText } from '../../option-checks.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { ignoreRejection, isThenable } from '../../foreign/thenable.js';
import type { Fence } from '../../backend/fence.js';
import { type KeyWrite, plannedDelete, plannedPut } from './key-write.js';
import { expectedRevision, type PutOptions } from './write-options.js';
import { LayeredFeed } from '../layers/layered-feed.js';
import { checkNoLayer, layerOf } from './layer-options.js';
import { type LayerChange, plannedLayerDelete, plannedLayerPut } from './layer-writer.js';
import type { AuditOrigin } from '../audit/audit-trail.js';
import { noteOf, WRITE_NOTE, type WriteNote } from '../audit/write-note.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { ValueType } from '../../dto/value-type.js';
import { writeArguments } from './write-arguments.js';
import type { ConfigTransaction, TransactionPutOptions } from '../../config-transaction.js';
import { quoted } from '../../foreign/foreign-text.js';

/** The content of a transaction. */
export interface PlannedTransaction {
  readonly writes: readonly KeyWrite[];
  readonly changes: readonly LayerChange[];
  readonly fences: readonly Fence[];
}

/** Options of a `StoreService.transaction`. */
export type TransactionOptions = WriteNote;

/** @throws InvalidOptionsError for an unknown option, and for an invalid author or reason */
export function transactionOrigin(options: TransactionOptions): AuditOrigin {
  checkKnown(options, WRITE_NOTE, { owner: ' of a transaction' });
  return { note: noteOf('transaction', options) };
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
  checkFunction('the argument of a transaction', build);
  const planned = new Map<string, () => Promise<KeyWrite>>();
  const changes = new Map<string, LayerChange>();
  const fences = new Set<Fence>();
  let isOpen = true;
  const plan = (operation: 'put' | 'delete', call: WriteCall, { write, change }: Plans): void => {
    const { key, type, options } = call;
    checkText(`${operation} in a transaction: the key`, key);
    const what = `${operation} ${quoted(key)} in a transaction`;
    if (!isOpen)
      throw new InvalidOptionsError(`${what}: the transaction has already been sent; build it synchronously`, { key });
    const feed = feedOf(operation, key, type);
    checkKnown(options, operation === 'put' ? PUT_OPTIONS : DELETE_OPTIONS, { owner: ` of ${what}` });
    const expected = expectedRevision(what, key, options);
    const written = feed instanceof LayeredFeed ? layerOf(what, feed, options) : key;
    if (planned.has(written) || changes.has(written)) {
      throw new InvalidOptionsError(`${what}: the transaction already writes the key, and can write it only once`, {
        key: written,
      });
    }
    if (feed instanceof LayeredFeed) {
      changes.set(written, change(feed, written, expected));
    } else {
      checkNoLayer(what, feed, options);
      planned.set(written, () => write(feed, written, expected));
    }
  };
  const result = build({
    put: (key: string, ...given: readonly unknown[]) => {
      const { type, value, options = {} } = writeArguments<TransactionPutOptions>(key, given);
      const content = { value, form: type ? ('class' as const) : ('document' as const) };
      plan(
        'put',
        { key, type, options },
        {
          write: (feed, _, expected) => plannedPut(feed, key, content, expected),
          change: (feed, layer, expected) => plannedLayerPut(feed, layer, content, expected),
        },
      );
    },
    delete: (key, options = {}) => {
      plan(
        'delete',
        { key, options },
        { write: (...planned) => Promise.resolve(plannedDelete(...planned)), change: plannedLayerDelete },
      );
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
  if (planned.size + changes.size === 0 && !mayBeEmpty) {
    throw new InvalidOptionsError('transaction: it contains no write; call put or delete');
  }
  const writes = await Promise.all(Array.from(planned.values(), (write) => write()));
  return { writes, changes: [...changes.values()], fences: [...fences] };
}

/** A fence applies to the whole transaction: `requireFence`. */
const DELETE_OPTIONS = { ifRevision: true, layer: true } as const;
const PUT_OPTIONS = { ...DELETE_OPTIONS, ifAbsent: true } as const;

/** The arguments of a `put` or `delete`, without its value. */
interface WriteCall {
  readonly key: string;
  readonly type?: ValueType | undefined;
  readonly options: PutOptions;
}

/** Plan a write of a key, or of a layer. */
interface Plans {
  readonly write: (feed: DefinitionFeed, key: string, expected: number | undefined) => Promise<KeyWrite>;
  readonly change: (feed: LayeredFeed, layer: string, expected: number | undefined) => LayerChange;
}
