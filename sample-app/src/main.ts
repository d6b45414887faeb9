import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { StoreService, WatcherService } from 'nestjs-etcd-trigger';
import { AppModule } from './app.module.js';
import { CONFIGURATIONS } from './configurations.js';
import { prepareEtcd } from './etcd.js';
import { etcdSwitch } from './etcd-switch.js';
import { PORT } from './identity.js';
import { Instances } from './instances.js';
import { localRequests } from './local-requests.js';
import { startMetrics } from './metrics.js';
import { RedisConfig } from './redis.config.js';
import { closeBeforeEtcd } from './shutdown.js';
import { print, printError } from './terminal.js';

/** Only this machine by default. The app has no login, so anyone who reaches it may change the configuration. */
const host = process.env.HOST ?? '127.0.0.1';
const allowedHosts = [host, ...(process.env.ALLOWED_HOSTS ?? '').split(',')].filter(Boolean);

const handleScrape = startMetrics();
const etcd = await orExit(prepareEtcd());
process.env.ETCD_HOSTS = etcd.hosts;
const app = await orExit(
  NestFactory.create<NestExpressApplication>(AppModule, {
    logger: ['warn', 'error'],
    abortOnError: false,
    // Open pages do not delay the shutdown.
    forceCloseConnections: true,
    // Only JSON, and no forms.
    bodyParser: false,
  }),
);
app.use(localRequests(allowedHosts));
app.use('/metrics', handleScrape);
if (etcd.own) app.use('/etcd', etcdSwitch(etcd.own.first));
app.useBodyParser('json');
if (etcd.own) closeBeforeEtcd(app, etcd.own.hosts);
else app.enableShutdownHooks();
await orExit(app.listen(PORT, host));

const url = (await app.getUrl()).replace(/127\.0\.0\.1|\[::1?\]|0\.0\.0\.0/, 'localhost');
const joined = orExit(app.get(Instances).join(url));
const etcdCommands = `  curl -X DELETE ${url}/etcd              kills etcd: watch the console, /health/ready and /metrics
  curl -X PUT ${url}/etcd                 restarts it with its data
`;
process.stdout.write(`
The app is running at ${url} and reads its configuration from etcd. Open

  ${url}/                     its console: edit a value, roll it back, stop etcd, start it again

or try in another terminal:

  curl ${url}/config                      the current configuration, read from memory
  curl -X PUT ${url}/config/redis -H 'content-type: application/json' -d '{"host":"cache-2","port":6380}'
  curl -X PUT ${url}/config/redis -H 'content-type: application/json' -d '{"host":"cache-2","port":"none"}'
                                             rejected with the property; the last valid value stays in use
  curl -X POST ${url}/events/order-1 -H 'content-type: application/json' -d '{"total":3}'
                                             billed by one instance: see /app/bills/order-1 in the console
  curl ${url}/events                      the latest events received by the handler
  curl ${url}/pods                        who leads, what is locked, the cron job, the instances
  curl -X POST ${url}/stocktaking         takes stock for 5 s under a lock, one instance at a time
  curl ${url}/health/ready                for an orchestrator; also /health/live
  curl ${url}/metrics                     for Prometheus
${etcd.own ? etcdCommands : ''}
Start a second instance in another terminal. Then stop this one, and the other one takes over:

  PORT=${PORT + 1} ETCD_HOSTS=${etcd.hosts} npm start

Press Ctrl-C to stop the app, which then hands over at once.${etcd.own ? ' Its etcd ends when no other instance uses it.' : ''}
\`kill -9 ${process.pid}\` kills it${etcd.own ? ' together with its etcd.' : ': another instance takes over within 5 s.'}

Changes are printed below:

`);
if (etcd.own) await showExample();
await joined;

/** Writes an event, which reaches its handler, and a configuration, which reaches its readers. */
async function showExample(): Promise<void> {
  const { key } = CONFIGURATIONS.redis;
  await app.get(WatcherService).put('/app/events/hello', 'the first event');
  await app.get(StoreService).put(key, { host: 'cache-1', port: 6_380 });
  const { host, port: redisPort } = app.get(StoreService).getOrThrow(key, RedisConfig);
  print('store', `redis is now at ${host}:${redisPort}, without a restart`);
}

/** Prints a startup failure as one sentence and exits. An etcd that the app has started ends with the process. */
async function orExit<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isPortTaken = code === 'EADDRINUSE';
    printError(
      isPortTaken ? `port ${PORT} is already in use: choose another one with PORT=${PORT + 1} npm start` : message,
    );
    process.exit(1);
  }
}
