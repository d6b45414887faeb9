import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { StoreService, WatcherService } from 'nestjs-etcd-trigger';
import { AppModule } from './app.module.js';
import { CONFIGURATIONS } from './configurations.js';
import { prepareEtcd } from './etcd.js';
import { etcdSwitch } from './etcd-switch.js';
import { startMetrics } from './metrics.js';
import { RedisConfig } from './redis.config.js';
import { say } from './terminal.js';

const port = Number(process.env.PORT ?? 3_000);

const answerScrape = startMetrics();
const etcd = await orExplain(prepareEtcd());
process.env.ETCD_HOSTS = etcd.hosts;
const app = await orExplain(
  NestFactory.create<NestExpressApplication>(AppModule, {
    logger: ['warn', 'error'],
    abortOnError: false,
    // A page that is open does not keep the application from ending.
    forceCloseConnections: true,
  }),
);
app.use('/metrics', answerScrape);
if (etcd.own) app.use('/etcd', etcdSwitch(etcd.own.first));
app.useStaticAssets(fileURLToPath(new URL('page', import.meta.url)));
app.enableShutdownHooks();
await orExplain(app.listen(port));

const url = (await app.getUrl()).replace('[::1]', 'localhost');
const switching = `  curl -X DELETE ${url}/etcd              kills etcd: see the page, /health/ready and /metrics
  curl -X PUT ${url}/etcd                 starts it again, with the data it had
`;
process.stdout.write(`
The app runs at ${url} and is configured by etcd. Open

  ${url}/                     what it runs on, live: edit a value, stop etcd, start it again

or try, in another terminal:

  curl ${url}/config                      what it runs on now, read from memory
  curl -X PUT ${url}/config/redis -H 'content-type: application/json' -d '{"host":"cache-2","port":6380}'
  curl -X PUT ${url}/config/redis -H 'content-type: application/json' -d '{"host":"cache-2","port":"none"}'
                                             refused, by property; the last good value stays
  curl -X POST ${url}/events/order-1 -H 'content-type: application/json' -d '{"total":3}'
  curl ${url}/events                      what the handler has been called for
  curl ${url}/health/ready                for an orchestrator; also /health/live
  curl ${url}/metrics                     for Prometheus
${etcd.own ? switching : ''}
Ctrl-C ends the app${etcd.own ? ' and its etcd' : ''}. What happens now is printed here:

`);
if (etcd.own) await showTheMainJob();

/** A written event reaches its handler, a written configuration reaches its readers. */
async function showTheMainJob(): Promise<void> {
  const { key } = CONFIGURATIONS.redis;
  await app.get(WatcherService).put('/app/events/hello', 'the first event');
  await app.get(StoreService).put(key, { host: 'cache-1', port: 6_380 });
  const { host, port: redisPort } = app.get(StoreService).getOrThrow(key, RedisConfig);
  say('store', `redis is at ${host}:${redisPort} now, without a restart`);
}

/** A start that fails says why in one sentence; the etcd that was started for it ends with this process. */
async function orExplain<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isTaken = code === 'EADDRINUSE';
    say('error', isTaken ? `port ${port} is taken: choose another one with PORT=${port + 1} npm start` : message);
    process.exit(1);
  }
}
