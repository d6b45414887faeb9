import type { ConfigDefinition } from 'nestjs-etcd-trigger';
import { DatabaseConfig } from './database.config.js';
import { RedisConfig } from './redis.config.js';

/** The application's configurations: their keys in etcd and their classes. */
export const CONFIGURATIONS = {
  database: { key: '/app/config/database', type: DatabaseConfig, required: true },
  redis: { key: '/app/config/redis', type: RedisConfig, required: true },
} satisfies Record<string, ConfigDefinition>;

export type ConfigurationName = keyof typeof CONFIGURATIONS;

export const isConfigurationName = (name: string): name is ConfigurationName => Object.hasOwn(CONFIGURATIONS, name);
