import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { Activity } from './activity.js';
import { ConfigChanges } from './config.changes.js';
import { ConfigController } from './config.controller.js';
import { CONFIGURATIONS } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EtcdErrorsFilter } from './etcd-errors.filter.js';
import { EventHandlers } from './event.handlers.js';
import { HealthController } from './health.controller.js';
import { LiveController } from './live.controller.js';
import { LiveState } from './live-state.js';

@Module({
  imports: [
    EtcdTriggerModule.forRootAsync({
      configs: Object.values(CONFIGURATIONS),
      useFactory: () => ({
        client: { hosts: (process.env.ETCD_HOSTS ?? 'http://127.0.0.1:2379').split(',') },
        serviceName: 'sample-app',
      }),
    }),
    TerminusModule,
  ],
  controllers: [ConfigController, LiveController, HealthController],
  providers: [
    DatabaseClient,
    EventHandlers,
    ConfigChanges,
    Activity,
    LiveState,
    EtcdTriggerHealthIndicator,
    { provide: APP_FILTER, useClass: EtcdErrorsFilter },
  ],
})
export class AppModule {}
