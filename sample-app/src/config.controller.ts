import { BadRequestException, Body, Controller, Get, NotFoundException, Param, Post, Put } from '@nestjs/common';
import { InvalidConfigError, StoreService, WatcherService } from 'nestjs-etcd-trigger';
import { CONFIGURATIONS, isConfigurationName } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EventHandlers, type SeenEvent } from './event.handlers.js';

/** Shows what the application runs on, and writes to etcd. */
@Controller()
export class ConfigController {
  constructor(
    private readonly store: StoreService,
    private readonly watcher: WatcherService,
    private readonly database: DatabaseClient,
    private readonly events: EventHandlers,
  ) {}

  @Get('config')
  current(): object {
    const configurations = Object.entries(CONFIGURATIONS).map(([name, { key, type }]) => {
      const { value, state, revision, source, violations } = this.store.entry<object>(key, type);
      return [name, { value: value && masked(value), state, revision, source, violations }];
    });
    return {
      status: this.store.status,
      connectsTo: this.database.url,
      ...(Object.fromEntries(configurations) as object),
    };
  }

  @Put('config/:name')
  async write(@Param('name') name: string, @Body() body: object): Promise<object> {
    if (!isConfigurationName(name)) throw new NotFoundException(`there is no configuration "${name}"`);
    try {
      return await this.store.put(CONFIGURATIONS[name].key, body);
    } catch (error) {
      if (error instanceof InvalidConfigError) {
        throw new BadRequestException({ message: error.message, violations: error.violations });
      }
      throw error;
    }
  }

  @Get('events')
  lastEvents(): readonly SeenEvent[] {
    return this.events.last;
  }

  @Post('events/:name')
  publish(@Param('name') name: string, @Body() body: object): Promise<{ revision: number }> {
    return this.watcher.put(`/app/events/${name}`, JSON.stringify(body));
  }
}

const SECRETS: ReadonlySet<string> = new Set(['password']);

const masked = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).map(([name, part]: [string, unknown]) => [name, SECRETS.has(name) ? '***' : part]),
  );
