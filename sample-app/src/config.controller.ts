import { Body, Controller, Get, Headers, NotFoundException, Param, Patch, Post, Put } from '@nestjs/common';
import { StoreService, WatcherService, type WriteResult } from 'nestjs-etcd-trigger';
import { type ConfigurationName, CONFIGURATIONS, isConfigurationName } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EventHandlers, type SeenEvent } from './event.handlers.js';
import { LiveState } from './live-state.js';

/** Shows what the application runs on, and writes to etcd. */
@Controller()
export class ConfigController {
  constructor(
    private readonly store: StoreService,
    private readonly watcher: WatcherService,
    private readonly database: DatabaseClient,
    private readonly events: EventHandlers,
    private readonly state: LiveState,
  ) {}

  @Get('config')
  current(): object {
    const configurations = Object.keys(CONFIGURATIONS).map((name) => {
      const { value, state, revision, source, violations } = this.state.configuration(name as ConfigurationName);
      return [name, { value, state, revision, source, violations }];
    });
    return {
      status: this.store.status,
      connectsTo: this.database.url,
      ...(Object.fromEntries(configurations) as object),
    };
  }

  /** The whole document. */
  @Put('config/:name')
  write(@Param('name') name: string, @Body() body: object): Promise<WriteResult> {
    return this.store.put(definitionOf(name).key, body);
  }

  /** Some of its properties; with `If-Match`, only at that revision. */
  @Patch('config/:name')
  edit(
    @Param('name') name: string,
    @Body() changes: object,
    @Headers('if-match') revision: string | undefined,
  ): Promise<WriteResult> {
    const { key, type } = definitionOf(name);
    const current = this.store.getOrThrow<object>(key, type);
    const condition = revision === undefined ? {} : { ifRevision: Number(revision) };
    return this.store.put(key, { ...current, ...changes }, condition);
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

function definitionOf(name: string): (typeof CONFIGURATIONS)[ConfigurationName] {
  if (!isConfigurationName(name)) throw new NotFoundException(`there is no configuration "${name}"`);
  return CONFIGURATIONS[name];
}
