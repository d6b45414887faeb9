import { UnknownOutcomeError } from 'nestjs-etcd-trigger';
import type { KeyValueStore, Transaction, TransactionResult } from '../../../lib/backend/key-value-store.js';

/** Result of one request. A delayed request is applied after the given number of further requests. */
export type Fate = 'answered' | 'lost before it arrives' | 'lost after it was applied' | { readonly delayed: number };

const FATES: readonly Fate[] = [
  'answered',
  'lost before it arrives',
  'lost after it was applied',
  { delayed: 1 },
  { delayed: 2 },
];
/** Every combination of two fates. */
export const FATE_PAIRS = FATES.flatMap((first) => FATES.map((second): [Fate, Fate] => [first, second]));

/** Loses and delays the requests of one writer, while other clients write between them. */
export class UnreliableKeyValue implements KeyValueStore {
  /** Applied writes of the writer, without the fences of its markers. */
  readonly applied: { readonly revision: number; readonly transaction: Transaction }[] = [];
  readonly get: KeyValueStore['get'];
  readonly #keyValue: KeyValueStore;
  readonly #fates: Fate[];
  readonly #writeAsOthers: () => void;
  readonly #delayed: { requestsLeft: number; readonly transaction: Transaction }[] = [];

  /** `writeAsOthers` is called before each request arrives. */
  constructor(keyValue: KeyValueStore, fates: readonly Fate[], writeAsOthers: () => void = () => undefined) {
    this.get = keyValue.get.bind(keyValue);
    this.#keyValue = keyValue;
    this.#fates = [...fates];
    this.#writeAsOthers = writeAsOthers;
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const fate = this.#fates.shift() ?? 'answered';
    this.#writeAsOthers();
    if (typeof fate === 'object') this.#delayed.push({ requestsLeft: fate.delayed, transaction });
    const isApplied = fate === 'answered' || fate === 'lost after it was applied';
    const outcome = isApplied ? await this.#apply(transaction) : undefined;
    for (const request of this.#delayed) request.requestsLeft -= 1;
    await this.#applyDelayed((requestsLeft) => requestsLeft <= 0);
    if (fate !== 'answered' || outcome === undefined) throw new UnknownOutcomeError('lost');
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  async applyAllDelayed(): Promise<void> {
    await this.#applyDelayed(() => true);
  }

  async #applyDelayed(isDue: (requestsLeft: number) => boolean): Promise<void> {
    for (const request of this.#delayed.filter(({ requestsLeft }) => isDue(requestsLeft))) {
      this.#delayed.splice(this.#delayed.indexOf(request), 1);
      this.#writeAsOthers();
      await this.#apply(request.transaction);
    }
  }

  async #apply(transaction: Transaction): Promise<TransactionResult | Error> {
    try {
      const result = await this.#keyValue.commit(transaction);
      const isFence = transaction.what.startsWith('resolve ');
      const isRead = transaction.operations.length === 0;
      if (result.applied && !isFence && !isRead) this.applied.push({ revision: result.revision, transaction });
      return result;
    } catch (error) {
      return error as Error;
    }
  }
}
