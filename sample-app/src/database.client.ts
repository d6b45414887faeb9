import { Injectable } from '@nestjs/common';
import { StoreService } from 'nestjs-etcd-trigger';
import { CONFIGURATIONS } from './configurations.js';
import { DatabaseConfig } from './database.config.js';

/** Stands in for a database client. It reads the current configuration whenever it connects. */
@Injectable()
export class DatabaseClient {
  constructor(private readonly store: StoreService) {}

  /** Current connection URL, without the password. */
  get url(): string {
    const { host, port, user, tls } = this.store.getOrThrow(CONFIGURATIONS.database.key, DatabaseConfig);
    return `postgres://${user}@${host}:${port}${tls ? '?sslmode=require' : ''}`;
  }
}
