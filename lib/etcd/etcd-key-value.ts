import { UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { rawKeyOf, type KeyRecord, keyText } from '../backend/key-record.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../backend/key-value-store.js';
import { checkLimits, type TransactionLimits } from '../backend/transaction-limits.js';
import { decodeRangeResponse, encodeRange, type RangeResponse } from './codec/range-codec.js';
import { decodeTxnResponse, encodeTxn, type TxnResponse } from './codec/txn-codec.js';
import type { EtcdConnection, UnaryMethod } from './connection/etcd-connection.js';
import { quoted } from '../foreign/foreign-text.js';

/** Reads and writes single keys. A write is sent once, unless no server has processed it. */
export class EtcdKeyValue implements KeyValueStore {
  readonly #connection: EtcdConnection;
  readonly #prefix: string;
  readonly #limits: TransactionLimits | undefined;
  readonly #range: UnaryMethod<RangeResponse>;
  readonly #txn: UnaryMethod<TxnResponse>;

  constructor(connection: EtcdConnection, keyPrefix: string, limits?: TransactionLimits) {
    const prefix = rawKeyOf(keyPrefix);
    this.#connection = connection;
    this.#prefix = prefix;
    this.#limits = limits;
    this.#range = { path: '/etcdserverpb.KV/Range', decode: (bytes) => decodeRangeResponse(bytes, prefix) };
    this.#txn = { path: '/etcdserverpb.KV/Txn', decode: (bytes) => decodeTxnResponse(bytes, prefix) };
  }

  async get(
    rawKey: string,
    { revision = 0 }: { readonly revision?: number } = {},
  ): Promise<{ record: KeyRecord | undefined; revision: number }> {
    const key = keyText(rawKey);
    const request = encodeRange({ key: this.#prefix + rawKey, rangeEnd: '', limit: 0, revision });
    const answer = await this.#connection.unary(this.#range, request, {
      what: `get ${quoted(key)}`,
      key,
      isIdempotent: true,
    });
    return { record: answer.records[0], revision: answer.revision };
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    checkLimits(transaction, this.#prefix.length, this.#limits);
    const { what, key, conditions = [], operations, readsOnRefusal = true } = transaction;
    const { revision, succeeded, responses } = await this.#connection.unary(
      this.#txn,
      encodeTxn(this.#prefix, transaction),
      {
        what,
        key,
        isIdempotent: operations.length === 0,
        ...(operations.length > 0 && {
          lost: (cause) =>
            new UnknownOutcomeError(
              `${what}: the answer was lost, so it may or may not have been applied; it was not sent again`,
              { key, cause },
            ),
        }),
      },
    );
    if (!succeeded) {
      const read = readsOnRefusal ? conditions : [];
      return { applied: false, revision, current: read.map((_, index) => responses[index]?.record) };
    }
    const deleted = operations.filter((_, index) => (responses[index]?.deleted ?? 0) > 0);
    return { applied: true, revision, deleted: deleted.map(({ rawKey }) => rawKey) };
  }
}
