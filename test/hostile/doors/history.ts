import { startApp } from '../../support/start-app.js';
import { DEFINITIONS, GOOD, type KeyedDocument, valid, type Verdict } from '../hostile-document.js';
import type { Door } from './door.js';
import { rejectedFor, write } from './store-verdicts.js';

/** Earlier values of a key, read from etcd's revisions. */
export const HISTORY: Door = {
  name: 'the history of a key',
  takes: () => true,
  enter: async (etcd, documents) => {
    const started = await startApp({ hosts: etcd.hosts, configs: DEFINITIONS });
    const { store } = started;
    const newest = async ({ key }: KeyedDocument): Promise<Verdict> => {
      const [revision] = await store.history(key, { limit: 1 });
      return revision?.violations ? rejectedFor(revision.violations) : valid(revision?.value);
    };
    await write(etcd, documents, ({ bytes }) => bytes);
    const verdicts = new Map<string, Verdict>();
    for (const document of documents) verdicts.set(document.key, await newest(document));
    return {
      verdictOf: ({ key }) => verdicts.get(key),
      heal: async () => {
        await write(etcd, documents, () => GOOD);
        const healed = await Promise.all(documents.map(newest));
        return healed.map((verdict) => ('value' in verdict ? verdict.value : undefined));
      },
      [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
    };
  },
};
