import { InvalidConfigError } from 'nestjs-etcd-trigger';
import { startApp } from '../../support/start-app.js';
import { DEFINITIONS, GOOD, type KeyedDocument, typeOf, type Verdict } from '../hostile-document.js';
import type { Door } from './door.js';
import { rejectedFor, shownVerdict } from './store-verdicts.js';

/** Writes of the store. */
export const STORE_PUT: Door = {
  name: 'put of the store',
  // An object has no equal names, a number does not say how it was written, and JSON.stringify() writes -0 as 0.
  takes: (document) =>
    objectOf(document) !== undefined &&
    !('value' in document.verdict && isNegativeZero(document.verdict.value)) &&
    !(
      'rejected' in document.verdict && /duplicateKey|safeInteger|limits.documentBytes/.test(document.verdict.rejected)
    ),
  enter: async (etcd, documents) => {
    const started = await startApp({ hosts: etcd.hosts, configs: DEFINITIONS });
    const { store } = started;
    const verdicts = new Map<string, Verdict>();
    for (const document of documents) {
      const { key } = document;
      try {
        await store.put(key, objectOf(document) as object);
        verdicts.set(key, shownVerdict(store, key));
      } catch (error) {
        if (!(error instanceof InvalidConfigError)) throw error;
        verdicts.set(key, rejectedFor(error.violations));
      }
    }
    return {
      verdictOf: ({ key }) => verdicts.get(key),
      heal: async () => {
        for (const { key } of documents) await store.put(key, GOOD);
        return documents.map(({ key }) => store.get(key, typeOf(key)));
      },
      [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
    };
  },
};

function objectOf({ format, bytes }: KeyedDocument): object | undefined {
  if (format === 'yaml') return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const isNegativeZero = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).some((part) => Object.is(part, -0));
