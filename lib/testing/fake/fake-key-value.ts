import { type KeyRecord, keyText } from '../../backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../../backend/key-value-store.js';
import { checkLimits, type TransactionLimits } from '../../backend/transaction-limits.js';
import type { FakeConnection } from './fake-connection.js';
import { quoted } from '../../foreign/foreign-text.js';

/** Reads and writes single keys of the fake. */
export class FakeKeyValue implements KeyValueStore {
  readonly #connection: FakeConnection;
  readonly #limits: TransactionLimits | undefined;

  constructor(connection: FakeConnection, limits: TransactionLimits | undefined) {
    this.#connection = connection;
    this.#limits = limits;
  }

  async get(
    rawKey: string,
    { revision }: { readonly revision?: number } = {},
  ): Promise<{ readonly record: KeyRecord | undefined; readonly revision: number }> {
    const { server } = this.#connection;
    const key = keyText(rawKey);
    const what = `get ${quoted(key)}`;
    const whole = this.#connection.whole({ kind: 'key' as const, rawKey });
    return this.#connection.request({
      what,
      key,
      ranges: [whole],
      isWrite: false,
      serve: () => ({ record: this.#local(server.range(what, whole, revision)[0]), revision: server.revision }),
    });
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const { what, key, conditions = [], operations, readsOnRefusal = true } = transaction;
    checkLimits(transaction, this.#connection.prefix.length, this.#limits);
    const whole = operations.map((operation) => this.#connection.whole(operation));
    const compared = conditions.map((condition) => this.#connection.whole(condition));
    return this.#connection.request({
      what,
      key,
      ranges: [
        ...whole.map(({ rawKey }) => ({ kind: 'key' as const, rawKey })),
        ...compared.map(({ rawKey, noneCreatedBefore }) => ({
          kind: noneCreatedBefore === undefined ? ('key' as const) : ('prefix' as const),
          rawKey,
        })),
      ],
      isWrite: operations.length > 0,
      serve: () => {
        const result = this.#connection.server.commit(what, compared, whole);
        if (result.applied)
          return { ...result, deleted: result.deleted.map((whole) => whole.slice(this.#connection.prefix.length)) };
        return { ...result, current: readsOnRefusal ? result.current.map((record) => this.#local(record)) : [] };
      },
    });
  }

  #local(record: KeyRecord | undefined): KeyRecord | undefined {
    return record && this.#connection.local(record);
  }
}
