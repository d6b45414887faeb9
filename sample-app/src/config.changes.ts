import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { StoreService } from 'nestjs-etcd-trigger';
import { say } from './terminal.js';

/** Listens to everything under a prefix: what exists first, then every change of what readers see. */
@Injectable()
export class ConfigChanges implements OnApplicationBootstrap {
  constructor(private readonly store: StoreService) {}

  onApplicationBootstrap(): void {
    this.store.onChange('/app/config/', ({ key, type, revision, origin }) => {
      say('config', `${key} ${type} (revision ${revision}, ${origin})`);
    });
  }
}
