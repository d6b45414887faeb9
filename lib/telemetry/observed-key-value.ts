import { SpanKind } from '@opentelemetry/api';
import { UnknownOutcomeError } from '../etcd-trigger.errors.js';
import type { KeyValueStore, Transaction, TransactionResult } from '../backend/key-value-store.js';
import type { ClusterTelemetry } from './cluster-telemetry.js';
import { endSpan, inSpan } from './spans.js';

/** Records a span and a duration for every write. Reads pass through unchanged. */
export class ObservedKeyValue implements KeyValueStore {
  constructor(
    private readonly inner: KeyValueStore,
    private readonly telemetry: ClusterTelemetry,
  ) {}

  get(...args: Parameters<KeyValueStore['get']>): ReturnType<KeyValueStore['get']> {
    return this.inner.get(...args);
  }

  commit(transaction: Transaction): Promise<TransactionResult> {
    if (transaction.operations.length === 0) return this.inner.commit(transaction);
    const operation = operationOf(transaction);
    const attributes = {
      'db.system.name': 'etcd',
      'db.operation.name': operation,
      'etcd_trigger.cluster': this.telemetry.cluster,
      ...(transaction.key !== undefined && { 'etcd_trigger.key': transaction.key }),
    };
    const options = { kind: SpanKind.CLIENT, attributes };
    return inSpan(this.telemetry.tracer, `${operation} etcd`, options, async (span) => {
      const startedAt = performance.now();
      const onEnd = (outcome: string, error?: unknown): void => {
        this.telemetry.wrote(operation, outcome, (performance.now() - startedAt) / 1_000, error);
        endSpan(span, error, { 'etcd_trigger.outcome': outcome });
      };
      try {
        const result = await this.inner.commit(transaction);
        onEnd(result.applied ? 'applied' : 'conflict');
        return result;
      } catch (error) {
        onEnd(error instanceof UnknownOutcomeError ? 'unknown' : 'refused', error);
        throw error;
      }
    });
  }
}

/** A write with a single operation is named after it. */
function operationOf({ operations }: Transaction): string {
  const [first] = operations;
  return first && operations.length === 1 ? first.type : 'transaction';
}
