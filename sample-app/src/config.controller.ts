import { Body, Controller, Get, Headers, NotFoundException, Param, Patch, Post, Put } from '@nestjs/common';
import { StoreService, WatcherService, type WriteResult } from 'nestjs-etcd-trigger';
import { type ConfigurationName, CONFIGURATIONS, isConfigurationName } from './configurations.js';
import { DatabaseClient } from './database.client.js';
import { EventHandlers, type SeenEvent } from './event.handlers.js';
import { LiveState } from './live-state.js';

/** Returns the current configuration and writes to etcd. */
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

  /** Replaces a whole document. */
  @Put('config/:name')
  write(@Param('name') name: string, @Body() body: object): Promise<WriteResult> {
    return this.store.put(definitionOf(name).key, body);
  }

  /** Changes some properties. With `If-Match`, only if the key is still at that revision. */
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
  latestEvents(): readonly SeenEvent[] {
    return this.events.latest;
  }

  @Post('events/:name')
  publish(@Param('name') name: string, @Body() body: object): Promise<{ revision: number }> {
    return this.watcher.put(`/app/events/${name}`, JSON.stringify(body));
  }
}

function definitionOf(name: string): (typeof CONFIGURATIONS)[ConfigurationName] {
  if (!isConfigurationName(name)) throw new NotFoundException(`unknown configuration "${name}"`);
  return CONFIGURATIONS[name];
}
