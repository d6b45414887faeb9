import { Module } from '@nestjs/common';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { LAYERED, Webhook } from '../console/layered.configs.js';
import { Flag } from './shop.module.js';

/** Classes of parts that only a document tells. */
@Module({
  imports: [
    EtcdTriggerModule.forRootAsync({
      configs: [
        ...LAYERED,
        { prefix: '/hooks/', type: Webhook },
        { key: '/yaml/flag', type: Flag, layers: ['/yaml/base', '/yaml/flag'], codec: 'yaml' },
      ],
      useFactory: () => {
        throw new Error('the command must not create a provider');
      },
    }),
  ],
})
export class AppModule {}
