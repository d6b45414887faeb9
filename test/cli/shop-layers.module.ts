import { Module } from '@nestjs/common';
import { IsInt, IsString, Min } from 'class-validator';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { AppModule } from './shop.module.js';

export class Cache {
  @IsString() host!: string;
  @IsInt() @Min(1) ttlSeconds = 60;
}

/** The shop with a key that is none of its own layers. */
@Module({
  imports: [
    AppModule,
    EtcdTriggerModule.forFeature([{ key: '/shop/cache', type: Cache, layers: ['/base/cache', '/prod/cache'] }]),
  ],
})
export class ShopWithLayersModule {}
