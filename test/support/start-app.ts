import { Test } from '@nestjs/testing';
import { EtcdTriggerModule, type EtcdTriggerOptions, StoreService, WatcherService } from 'nestjs-etcd-trigger';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { quiet } from './quiet-logger.js';

export interface StartedApp extends AsyncDisposable {
  readonly app: INestApplication;
  readonly watcher: WatcherService;
  readonly store: StoreService;
}

/** Starts a Nest application that contains only the module. Disposing it closes the application. */
export async function startApp(
  options: Omit<EtcdTriggerOptions, 'client'> & {
    readonly hosts: string | string[];
    readonly client?: EtcdTriggerOptions['client'];
  },
  metadata: ModuleMetadata = {},
): Promise<StartedApp> {
  const { hosts, ...rest } = options;
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [...(metadata.imports ?? []), EtcdTriggerModule.forRoot({ client: { hosts }, logger: quiet, ...rest })],
  }).compile();
  const app = await module.createNestApplication({ logger: false }).init();
  return {
    app,
    watcher: app.get(WatcherService),
    store: app.get(StoreService),
    [Symbol.asyncDispose]: () => app.close(),
  };
}
