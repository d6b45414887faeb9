import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { StoreService } from 'nestjs-etcd-trigger';
import { print } from './terminal.js';

/** Listens to all configurations under a prefix: the existing ones first, then every change. */
@Injectable()
export class ConfigChanges implements OnApplicationBootstrap {
  constructor(private readonly store: StoreService) {}

  onApplicationBootstrap(): void {
    this.store.onChange('/app/config/', ({ key, type, revision, origin }) => {
      print('config', `${key} ${type} (revision ${revision}, ${origin})`);
    });
  }
}
