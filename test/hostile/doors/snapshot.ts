import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeSnapshot } from '../../../lib/store/snapshot/snapshot-format.js';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { TemporaryFolder } from '../../support/temporary-folder.js';
import { DEFINITIONS, GOOD, typeOf, valid } from '../hostile-document.js';
import type { Door } from './door.js';
import { write } from './store-verdicts.js';

/** A snapshot file at a start without etcd. It reports no reason for a value that is not used. */
export const OFFLINE_SNAPSHOT: Door = {
  name: 'an offline snapshot',
  takes: () => true,
  enter: async (etcd, documents) => {
    const folder = await TemporaryFolder.create();
    const { path: directory } = folder;
    const content = encodeSnapshot({
      clusterId: '1',
      cluster: 'default',
      keyPrefix: '',
      asOf: Date.now(),
      definitions: [],
      documents: documents.map(({ key, bytes }) => ({ key, revision: 1, bytes })),
    });
    writeFileSync(join(directory, 'etcd-trigger.default.snapshot'), Buffer.concat([...content]));
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    proxy.refuse();
    const started = await startApp({ hosts: proxy.endpoint, configs: DEFINITIONS, snapshot: { directory } });
    const { store } = started;
    return {
      verdictOf: ({ key }) => {
        const value = store.get(key, typeOf(key));
        return value === undefined ? undefined : valid(value);
      },
      heal: async () => {
        await write(etcd, documents, () => GOOD);
        await proxy.accept();
        await eventually(() => store.status === 'ready');
        return documents.map(({ key }) => store.get(key, typeOf(key)));
      },
      [Symbol.asyncDispose]: async () => {
        await started[Symbol.asyncDispose]();
        proxy.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  },
};
