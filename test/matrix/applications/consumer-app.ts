const IMPORTS = {
  '@nestjs/common': ['Controller', 'Get'],
  '@nestjs/core': ['NestFactory'],
  '@nestjs/platform-express': ['ExpressAdapter'],
  '@nestjs/platform-fastify': ['FastifyAdapter'],
  'class-validator': ['IsInt'],
  'nestjs-etcd-trigger': ['EtcdTriggerModule', 'StoreService', 'WatchKey', 'WatcherService'],
  'nestjs-etcd-trigger/testing': ['settled'],
};

/** Plain JavaScript without decorator syntax, so decorators are called as functions. */
const APP = `
const decorate = (decorator, { prototype }, name) =>
  decorator(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));

class Limit {}
IsInt()(Limit.prototype, 'count');

const calls = [];
class Handler {
  onEvent({ key, value }) { calls.push(key + ' ' + value); }
}
decorate(WatchKey('/events/', { events: 'put' }), Handler, 'onEvent');

class LimitController {
  constructor(store) { this.store = store; }
  show() { return this.store.getOrThrow('/limits/a', Limit); }
}
Reflect.defineMetadata('design:paramtypes', [StoreService], LimitController);
decorate(Get(), LimitController, 'show');
Controller('limit')(LimitController);

class AppModule {}
async function main() {
  const client = { hosts: process.env.ETCD_HOSTS };
  const app = await NestFactory.create(
    {
      module: AppModule,
      imports: [EtcdTriggerModule.forRoot({ client, configs: [{ prefix: '/limits/', type: Limit }] })],
      providers: [Handler],
      controllers: [LimitController],
    },
    process.env.PLATFORM === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(),
    { logger: false },
  );
  await app.listen(0, '127.0.0.1');
  await app.get(StoreService).put('/limits/a', { count: 1 });
  console.log(await (await fetch(await app.getUrl() + '/limit')).text());
  await app.get(WatcherService).put('/events/1', 'hello');
  await settled(app);
  console.log(calls.join());
  await app.get(WatcherService).delete('/events/1');
  await app.close();
  console.log('closed');
}
main();
`;

/** The handler runs once. The process ends after that. */
export const CONSUMER_OUTPUT = ['{"count":1}', '/events/1 hello', 'closed'];

/** The application as an ES module and as a CommonJS module. */
export const CONSUMER_FILES = {
  'app.mjs': [
    `import 'reflect-metadata';`,
    ...Object.entries(IMPORTS).map(([from, names]) => `import { ${names.join(', ')} } from '${from}';`),
    APP,
  ].join('\n'),
  'app.cjs': [
    `require('reflect-metadata');`,
    ...Object.entries(IMPORTS).map(([from, names]) => `const { ${names.join(', ')} } = require('${from}');`),
    APP,
  ].join('\n'),
};
