import { Injectable } from '@nestjs/common';
import { StoreService } from 'nestjs-etcd-trigger';
import { CONFIGURATIONS } from './configurations.js';
import { DatabaseConfig } from './database.config.js';

/** Stands for a database client: it is constructed with its configuration there, and reads the current one whenever it connects. */
@Injectable()
export class DatabaseClient {
  constructor(private readonly store: StoreService) {}

  /** Where it would connect to now; without the password. */
  get url(): string {
    const { host, port, user, tls } = this.store.getOrThrow(CONFIGURATIONS.database.key, DatabaseConfig);
    return `postgres://${user}@${host}:${port}${tls ? '?sslmode=require' : ''}`;
  }
}
