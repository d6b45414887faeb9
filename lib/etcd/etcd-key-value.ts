import { UnknownOutcomeError } from '../etcd-trigger.errors.js';
import { keyBytesOf, keyIdOf, type KeyRecord, keyText } from '../watch/key-record.js';
import type { KeyValueStore, Operation, Transaction, TransactionResult } from '../watch/key-value.js';
import { checkLimits } from '../watch/transaction-limits.js';
import type { EtcdConnection } from './etcd-connection.js';
import type { UnaryMethod } from './member.js';
import { decodeRangeResponse, type RangeResponse } from './range-codec.js';

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
    this.#prefix = keyIdOf(keyPrefix);
    this.#range = {
      service: 'KV',
      method: 'Range',
      decode: (bytes) => decodeRangeResponse(bytes, this.#prefix.length),
    };
  }

  async get(
    id: string,
    { revision = 0 }: { readonly revision?: number } = {},
  ): Promise<{ record: KeyRecord | undefined; revision: number }> {
    const key = keyText(id);
    const answer = await this.#connection.unary(
      this.#range,
      { key: this.#bytes(id), revision },
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
        compare: conditions.map(({ id, revision }) => ({
          result: 'Equal',
          target: 'Mod',
          key: this.#bytes(id),
          mod_revision: revision,
        })),
        success: operations.map((operation) => this.#request(operation)),
        failure: conditions.map(({ id }) => ({ request_range: { key: this.#bytes(id) } })),
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
      const deleted = operations.filter((_, index) => hasDeleted(index)).map(({ id }) => id);
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
    const key = this.#bytes(operation.id);
    return operation.type === 'put'
      ? { request_put: { key, value: operation.value, lease: operation.lease ?? 0 } }
      : { request_delete_range: { key } };
  }

  #record(raw: RawKeyValue): KeyRecord {
    return {
      id: raw.key.toString('latin1').slice(this.#prefix.length),
      value: Buffer.from(raw.value),
      revision: safeInteger(raw.mod_revision),
      createRevision: safeInteger(raw.create_revision),
      version: safeInteger(raw.version),
      lease: raw.lease === '0' ? undefined : raw.lease,
    };
  }

  #bytes(id: string): Buffer {
    return keyBytesOf(this.#prefix + id);
  }
}

function safeInteger(decimal: string): number {
  const number = Number(decimal);
  if (!Number.isSafeInteger(number)) throw new RangeError('a number in the answer is larger than 2^53');
  return number;
}
