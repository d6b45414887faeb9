import {
  Controller,
  Get,
  Inject,
  type NestModule,
  type DynamicModule,
  Module,
  type Provider,
  Req,
  Res,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { DiscoveryModule, HttpAdapterHost } from '@nestjs/core';
import { ConsoleActions } from './console-actions.js';
import { ConsoleClusters } from './console-clusters.js';
import { ConsoleController } from './console.controller.js';
import { ConsoleEntries } from './console-entries.js';
import { ConsoleEvents } from './console-events.js';
import type { ConsoleRequest, ConsoleResponse } from './console-exchange.js';
import { ConsoleHistory } from './console-history.js';
import {
  type AsyncConsoleOptions,
  checkAsyncConsoleOptions,
  checkConsoleOptions,
  CONSOLE_SETTINGS,
  type ConsoleOptions,
  type ConsoleSettings,
  type ResolvedConsoleSettings,
  type ResolvedStaticConsoleOptions,
  resolveConsoleSettings,
} from './console.options.js';
import { ConsoleState } from './console-state.js';
import { KeyListing } from './key-listing.js';
import { PageAssets } from './page-assets.js';

const CONSOLE_CONTROLLER = Symbol('EtcdTriggerConsoleController');

/**
 * Serves a page, and the HTTP API behind it, that shows the configurations, their history, and the handlers, groups,
 * elections and cron jobs of all clusters of the application. Works on Express and Fastify. Import it beside
 * `EtcdTriggerModule.forRoot`.
 */
@Module({})
export class EtcdTriggerConsoleModule implements NestModule {
  /** @internal */
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(CONSOLE_CONTROLLER) private readonly controller: Type<ConsoleController>,
  ) {}

  /**
   * Nest calls this after it knows the HTTP adapter, and before it reads the routes.
   * @internal
   */
  configure(): void {
    if (this.host.httpAdapter.getType() === 'fastify') routeFolder(this.controller);
  }

  /**
   * Mounts the console.
   * @throws InvalidOptionsError without guards, unless `unprotected` is true, and for an invalid option
   */
  static forRoot(options: ConsoleOptions): DynamicModule {
    const { write, author, ...statics } = checkConsoleOptions(options);
    return consoleModule(statics, {
      provide: CONSOLE_SETTINGS,
      useValue: { write, author } satisfies ResolvedConsoleSettings,
    });
  }

  /**
   * Mounts the console with settings of a factory. `path` and `guards` are set next to it, because Nest needs them while
   * it builds the module graph.
   * @throws InvalidOptionsError as `forRoot`
   */
  static forRootAsync(options: AsyncConsoleOptions): DynamicModule {
    const { inject = [], useFactory, ...statics } = checkAsyncConsoleOptions(options);
    return consoleModule(statics, {
      provide: CONSOLE_SETTINGS,
      inject,
      useFactory: async (...injected: never[]): Promise<ResolvedConsoleSettings> => {
        const settings: ConsoleSettings = await useFactory(...injected);
        return resolveConsoleSettings(settings);
      },
    });
  }
}

function consoleModule({ path, guards, imports }: ResolvedStaticConsoleOptions, settings: Provider): DynamicModule {
  const controller = controllerAt(path, guards);
  return {
    module: EtcdTriggerConsoleModule,
    imports: [DiscoveryModule, ...imports],
    controllers: [controller],
    providers: [
      settings,
      { provide: CONSOLE_CONTROLLER, useValue: controller },
      ConsoleClusters,
      ConsoleEntries,
      ConsoleState,
      ConsoleHistory,
      ConsoleActions,
      ConsoleEvents,
      KeyListing,
      { provide: PageAssets, useFactory: () => new PageAssets() },
    ],
  };
}

/** Each module has a controller of its own, because the path and the guards are metadata of the class. */
function controllerAt(path: string, guards: ResolvedStaticConsoleOptions['guards']): Type<ConsoleController> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class EtcdTriggerConsoleController extends ConsoleController {
    /** Has a route on Fastify only. */
    folder(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): void {
      this.folderAnswer(request, response, request.params?.['*']);
    }
  }
  return EtcdTriggerConsoleController;
}

/**
 * Adds the route of a path with a slash at its end, which Fastify tells from one without. At the root of the application,
 * it would answer for all other modules.
 */
function routeFolder({ prototype }: Type<ConsoleController>): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'folder');
  const isRoot = Reflect.getMetadata('path', (prototype as object).constructor) === '';
  if (descriptor && !isRoot) Get('*')(prototype as object, 'folder', descriptor);
}
