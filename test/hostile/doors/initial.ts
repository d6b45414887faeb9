import { startApp } from '../../support/start-app.js';
import { DEFINITIONS } from '../hostile-document.js';
import type { Door } from './door.js';
import { healInEtcd, shownVerdict, write } from './store-verdicts.js';

/** The list that an application starts with. */
export const INITIAL_LIST: Door = {
  name: 'the initial list',
  takes: () => true,
  enter: async (etcd, documents) => {
    await write(etcd, documents, ({ bytes }) => bytes);
    const started = await startApp({ hosts: etcd.hosts, configs: DEFINITIONS });
    return {
      verdictOf: ({ key }) => shownVerdict(started.store, key),
      heal: () => healInEtcd(etcd, started.store, documents),
      [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
    };
  },
};
