import { Module } from '@nestjs/common';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { ConfigChanges } from './config.changes.js';
import { ConfigController } from './config.controller.js';
import { CONFIGURATIONS } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EventHandlers } from './event.handlers.js';

@Module({
  imports: [
    EtcdTriggerModule.forRootAsync({
      configs: Object.values(CONFIGURATIONS),
      useFactory: () => ({
        client: { hosts: (process.env.ETCD_HOSTS ?? 'http://127.0.0.1:2379').split(',') },
        serviceName: 'sample-app',
      }),
    }),
  ],
  controllers: [ConfigController],
  providers: [DatabaseClient, EventHandlers, ConfigChanges],
})
export class AppModule {}
