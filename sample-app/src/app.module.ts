import { userInfo } from 'node:os';
import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { EtcdTriggerConsoleModule } from 'nestjs-etcd-trigger/console';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { Bill, Billing, BILLS } from './billing.js';
import { ConfigChanges } from './config.changes.js';
import { ConfigController } from './config.controller.js';
import { CONFIGURATIONS } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EtcdErrorsFilter } from './etcd-errors.filter.js';
import { EventHandlers } from './event.handlers.js';
import { HealthController } from './health.controller.js';
import { COORDINATION, POD, SERVICE } from './identity.js';
import { Instances } from './instances.js';
import { OrderTotals } from './order-totals.js';
import { PodsController } from './pods.controller.js';
import { ReportJob } from './report.job.js';
import { Stocktaking } from './stocktaking.js';

@Module({
  imports: [
    EtcdTriggerModule.forRootAsync({
      configs: [...Object.values(CONFIGURATIONS), { prefix: BILLS, type: Bill }],
      useFactory: () => ({
        client: { hosts: (process.env.ETCD_HOSTS ?? 'http://127.0.0.1:2379').split(',') },
        serviceName: SERVICE,
        podName: POD,
        audit: { prefix: '/app/audit', keepDays: 7 },
        // Short, so that another instance soon takes over what a killed one owned.
        coordination: { prefix: COORDINATION, ttlSeconds: 5 },
      }),
    }),
    // The app has no login and accepts only local requests, so its console has no guard. Yours needs one.
    EtcdTriggerConsoleModule.forRoot({ path: '/', unprotected: true, write: true, author: () => userInfo().username }),
    TerminusModule,
  ],
  controllers: [ConfigController, PodsController, HealthController],
  providers: [
    DatabaseClient,
    Billing,
    EventHandlers,
    ConfigChanges,
    OrderTotals,
    ReportJob,
    Stocktaking,
    Instances,
    EtcdTriggerHealthIndicator,
    { provide: APP_FILTER, useClass: EtcdErrorsFilter },
  ],
})
export class AppModule {}
