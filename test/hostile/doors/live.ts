import { startApp } from '../../support/start-app.js';
import { DEFINITIONS, typeOf } from '../hostile-document.js';
import type { Door } from './door.js';
import { healInEtcd, shownVerdict, write } from './store-verdicts.js';

/** The value of each key before the document is written. */
const FIRST = { value: 'first' };

/** Events of a watch. A rejected document must leave the value before it. */
export const LIVE_EVENTS: Door = {
  name: 'live events',
  takes: () => true,
  enter: async (etcd, documents) => {
    await write(etcd, documents, () => FIRST);
    const started = await startApp({ hosts: etcd.hosts, configs: DEFINITIONS });
    const { store } = started;
    await store.waitForRevision(await write(etcd, documents, ({ bytes }) => bytes), { timeoutMs: 60_000 });
    return {
      verdictOf: ({ key }) => {
        const verdict = shownVerdict(store, key);
        const isKept = store.get(key, typeOf(key))?.value === FIRST.value;
        return 'rejected' in verdict && !isKept ? { rejected: 'and the good value is gone' } : verdict;
      },
      heal: () => healInEtcd(etcd, store, documents),
      [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
    };
  },
};
