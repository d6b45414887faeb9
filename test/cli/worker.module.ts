import { Injectable, Module } from '@nestjs/common';
import { ClusterCron, EtcdTriggerModule, OnElected, WatchKey, type WatchEvent } from 'nestjs-etcd-trigger';

@Injectable()
export class Worker {
  readonly calls: string[] = [];
  isBroken = true;

  @OnElected('leader')
  lead(): void {
    // Leading is all that matters.
  }

  @ClusterCron('0 30 2 * * *', { name: 'nightly', timeZone: 'UTC' })
  tick(): void {
    this.calls.push('tick');
  }

  @WatchKey('/orders/', { group: { name: 'orders', partitions: 2 }, onExhausted: 'park' })
  on({ key }: WatchEvent): void {
    if (this.isBroken) throw new Error('it does not work');
    this.calls.push(key);
  }
}

@Module({
  imports: [EtcdTriggerModule.forRoot({ client: { hosts: 'http://127.0.0.1:1' }, coordination: { prefix: '/co' } })],
  providers: [Worker],
})
export class AppModule {}
