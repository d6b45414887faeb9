/** A dependency with its own copy of the package decorates the handler. The application imports the module. */
export const TWO_COPIES_FILES = {
  'node_modules/orders/package.json': JSON.stringify({ name: 'orders', type: 'module', main: 'index.js' }),
  'node_modules/orders/index.js': `
import { WatchKey } from 'nestjs-etcd-trigger';
export class Orders {
  calls = [];
  onOrder({ key }) { this.calls.push(key); }
}
WatchKey('/orders/')(Orders.prototype, 'onOrder', Object.getOwnPropertyDescriptor(Orders.prototype, 'onOrder'));
`,
  'two-copies.mjs': `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EtcdTriggerModule, WatcherService } from 'nestjs-etcd-trigger';
import { settled } from 'nestjs-etcd-trigger/testing';
import { Orders } from 'orders';

class AppModule {}
const client = { hosts: process.env.ETCD_HOSTS };
const root = { module: AppModule, imports: [EtcdTriggerModule.forRoot({ client })], providers: [Orders] };
const app = await NestFactory.createApplicationContext(root, { logger: false });
await app.get(WatcherService).put('/orders/1', 'new');
await settled(app);
console.log(app.get(Orders).calls.join());
await app.close();
`,
};
