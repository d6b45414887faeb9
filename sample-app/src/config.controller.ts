import { Body, Controller, Get, NotFoundException, Param, Post, Put } from '@nestjs/common';
import { EtcdTriggerInspector, StoreService, WatcherService, type WriteResult } from 'nestjs-etcd-trigger';
import { CONFIGURATIONS, isConfigurationName } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EventHandlers, type SeenEvent } from './event.handlers.js';

/** Returns the current configuration and writes to etcd. */
@Controller()
export class ConfigController {
  constructor(
    private readonly store: StoreService,
    private readonly watcher: WatcherService,
    private readonly database: DatabaseClient,
    private readonly events: EventHandlers,
    private readonly inspector: EtcdTriggerInspector,
  ) {}

  /** The inspector masks the properties that are declared with `@Secret()`. */
  @Get('config')
  current(): object {
    const effective = this.inspector.effective();
    const configurations = Object.entries(CONFIGURATIONS).map(([name, definition]) => [
      name,
      effective.find(({ key }) => key === definition.key),
    ]);
    return {
      status: this.store.status,
      connectsTo: this.database.url,
      ...(Object.fromEntries(configurations) as object),
    };
  }

  /** Replaces a whole document. */
  @Put('config/:name')
  write(@Param('name') name: string, @Body() body: object): Promise<WriteResult> {
    if (!isConfigurationName(name)) throw new NotFoundException(`unknown configuration "${name}"`);
    return this.store.put(CONFIGURATIONS[name].key, body);
  }

  @Get('events')
  latestEvents(): readonly SeenEvent[] {
    return this.events.latest;
  }

  @Post('events/:name')
  publish(@Param('name') name: string, @Body() body: object): Promise<{ revision: number }> {
    return this.watcher.put(`/app/events/${name}`, JSON.stringify(body));
  }
}
