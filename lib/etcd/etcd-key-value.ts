import { UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { keyBytesOf, rawKeyOf, type KeyRecord, keyText } from '../backend/key-record.js';
import type { KeyValueStore, Operation, Transaction, TransactionResult } from '../backend/key-value-store.js';
import { checkLimits } from '../backend/transaction-limits.js';
import type { EtcdConnection } from './connection/etcd-connection.js';
import type { UnaryMethod } from './connection/member.js';
import { decodeRangeResponse, type RangeResponse } from './codec/range-codec.js';

/** etcd's TxnResponse as etcd3's definitions decode it: 64-bit numbers are decimal strings. */
interface TxnResponse {
  readonly header: { readonly revision: string };
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly response_delete_range?: { readonly deleted: string } | null;
    readonly response_range?: { readonly kvs: readonly RawKeyValue[] } | null;
  }[];
}

interface RawKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly mod_revision: string;
  readonly create_revision: string;
  readonly version: string;
  readonly lease: string;
}

const TXN: UnaryMethod<TxnResponse> = { service: 'KV', method: 'Txn' };

/** Reads and writes of single keys; writes are sent once, unless they provably never left or were refused for their token. */
export class EtcdKeyValue implements KeyValueStore {
  readonly #connection: EtcdConnection;
  readonly #prefix: string;
  readonly #range: UnaryMethod<RangeResponse>;

  constructor(connection: EtcdConnection, keyPrefix: string) {
    this.#connection = connection;
    this.#prefix = rawKeyOf(keyPrefix);
    this.#range = {
      service: 'KV',
      method: 'Range',
      decode: (bytes) => decodeRangeResponse(bytes, this.#prefix.length),
    };
  }

  async get(
    rawKey: string,
    { revision = 0 }: { readonly revision?: number } = {},
  ): Promise<{ record: KeyRecord | undefined; revision: number }> {
    const key = keyText(rawKey);
    const answer = await this.#connection.unary(
      this.#range,
      { key: this.#bytes(rawKey), revision },
      { what: `get "${key}"`, key, idempotent: true },
    );
    return { record: answer.records[0], revision: answer.revision };
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    checkLimits(transaction, this.#prefix.length);
    const { what, key, conditions = [], operations } = transaction;
    const response = await this.#connection.unary(
      TXN,
      {
        compare: conditions.map(({ rawKey, revision }) => ({
          result: 'Equal',
          target: 'Mod',
          key: this.#bytes(rawKey),
          mod_revision: revision,
        })),
        success: operations.map((operation) => this.#request(operation)),
        failure: conditions.map(({ rawKey }) => ({ request_range: { key: this.#bytes(rawKey) } })),
      },
      {
        what,
        ...(key !== undefined && { key }),
        idempotent: false,
        lost: (cause) =>
          new UnknownOutcomeError(
            `${what}: the answer was lost, it may or may not have been applied; it was not sent again`,
            {
              key,
              cause,
            },
          ),
      },
    );
    const revision = safeInteger(response.header.revision);
    if (response.succeeded) {
      const hasDeleted = (index: number): boolean =>
        (response.responses[index]?.response_delete_range?.deleted ?? '0') !== '0';
      const deleted = operations.filter((_, index) => hasDeleted(index)).map(({ rawKey }) => rawKey);
      return { applied: true, revision, deleted };
    }
    return {
      applied: false,
      revision,
      current: response.responses.map(({ response_range: range }) => {
        const [found] = range?.kvs ?? [];
        return found && this.#record(found);
      }),
    };
  }

  #request(operation: Operation): object {
    const key = this.#bytes(operation.rawKey);
    return operation.type === 'put'
      ? { request_put: { key, value: operation.value, lease: operation.lease ?? 0 } }
      : { request_delete_range: { key } };
  }

  #record(raw: RawKeyValue): KeyRecord {
    return {
      rawKey: raw.key.toString('latin1').slice(this.#prefix.length),
      value: Buffer.from(raw.value),
      revision: safeInteger(raw.mod_revision),
      createRevision: safeInteger(raw.create_revision),
      version: safeInteger(raw.version),
      lease: raw.lease === '0' ? undefined : raw.lease,
    };
  }

  #bytes(rawKey: string): Buffer {
    return keyBytesOf(this.#prefix + rawKey);
  }
}

function safeInteger(decimal: string): number {
  const number = Number(decimal);
  if (!Number.isSafeInteger(number)) throw new RangeError('a number in the answer is larger than 2^53');
  return number;
}
