import { Delete, Get, Inject, Logger, Post, Put, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { EtcdTriggerError } from '../etcd-trigger.errors.js';
import { MAX_AUTHOR } from '../store/audit/write-note.js';
import { describeThrown } from '../foreign/foreign-error.js';
import { ConsoleActions } from './console-actions.js';
import { ConsoleClusters } from './console-clusters.js';
import { ConsoleEntries } from './console-entries.js';
import { ConsoleError, detailsOf, statusOf } from './console-error.js';
import { ConsoleEvents } from './console-events.js';
import { ConsoleExchange, type ConsoleRequest, type ConsoleResponse } from './console-exchange.js';
import { ConsoleHistory } from './console-history.js';
import { bodyOf, checkSameOrigin } from './console-requests.js';
import { CONSOLE_SETTINGS, type ResolvedConsoleSettings } from './console.options.js';
import { ConsoleState } from './console-state.js';
import { KeyListing } from './key-listing.js';
import { type PageAsset, PageAssets } from './page-assets.js';
import type { WriteRequest } from './write-request.js';

/**
 * The routes of the console. They answer by the HTTP adapter, so that no interceptor of the application changes an answer,
 * and read the request themselves, so that no pipe does. A guard with request scope makes Nest create a controller for
 * each request, so it keeps nothing.
 */
export abstract class ConsoleController {
  readonly #log = new Logger('EtcdTriggerConsole');

  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(CONSOLE_SETTINGS) private readonly settings: ResolvedConsoleSettings,
    @Inject(ConsoleClusters) private readonly clusters: ConsoleClusters,
    @Inject(ConsoleState) private readonly stateOfClusters: ConsoleState,
    @Inject(ConsoleEntries) private readonly entries: ConsoleEntries,
    @Inject(ConsoleHistory) private readonly revisions: ConsoleHistory,
    @Inject(ConsoleActions) private readonly actions: ConsoleActions,
    @Inject(ConsoleEvents) private readonly stream: ConsoleEvents,
    @Inject(PageAssets) private readonly assets: PageAssets,
    @Inject(KeyListing) private readonly listing: KeyListing,
  ) {}

  @Get()
  page(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): void {
    const exchange = this.#exchange(request, response);
    // The addresses in the page are relative to its folder.
    if (exchange.path.endsWith('/')) this.#sendAsset(exchange, this.assets.index);
    else exchange.redirect(`./${exchange.path.slice(exchange.path.lastIndexOf('/') + 1)}/`);
  }

  @Get('assets/:name')
  asset(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): void {
    const exchange = this.#exchange(request, response);
    this.#sendAsset(exchange, this.assets.named(exchange.path.slice(exchange.path.lastIndexOf('/') + 1)));
  }

  @Get('api/state')
  async state(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, async () => ({
      ...(await this.#pageState(request)),
      clusters: this.stateOfClusters.clusterStates(true),
    }));
  }

  @Get('api/keys')
  async keys(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, (exchange) =>
      this.listing.window(this.clusters.named(exchange.query('cluster')), {
        definition: exchange.query('definition'),
        search: exchange.query('search'),
        state: exchange.query('state'),
        offset: exchange.integer('offset', 0, 0, Number.MAX_SAFE_INTEGER),
        limit: exchange.integer('limit', 100, 1, 500),
      }),
    );
  }

  @Get('api/entry')
  async entry(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, (exchange) => this.entries.read(this.#place(exchange)));
  }

  @Get('api/history')
  async history(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, (exchange) =>
      this.revisions.read(this.#place(exchange), exchange.integer('limit', 20, 1, 100)),
    );
  }

  @Get('api/audit')
  async audit(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, (exchange) => this.actions.audit(exchange));
  }

  @Get('api/parked')
  async parked(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#read(request, response, (exchange) => this.actions.parked(exchange));
  }

  @Get('api/events')
  async events(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    const exchange = this.#exchange(request, response);
    await this.#answering(exchange, async () => {
      checkSameOrigin(exchange);
      // Nest routes HEAD here, too, and its answer would not end.
      if (request.method === 'HEAD') throw new ConsoleError(405, 'the stream of events needs the method GET');
      this.stream.open(exchange, await this.#pageState(request));
    });
  }

  @Post('api/check')
  async check(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.check(write));
  }

  @Put('api/entry')
  async put(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.put(write));
  }

  @Delete('api/entry')
  async delete(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.delete(write));
  }

  @Post('api/rollback')
  async rollback(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.rollback(write));
  }

  @Post('api/handlers')
  async handlers(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.handlers(write));
  }

  @Post('api/redrive')
  async redrive(@Req() request: ConsoleRequest, @Res() response: ConsoleResponse): Promise<void> {
    await this.#write(request, response, (write) => this.actions.redrive(write));
  }

  /** Answers to what no other route of the folder has answered. `rest`: the path in the folder. */
  protected folderAnswer(request: ConsoleRequest, response: ConsoleResponse, rest: unknown): void {
    if (rest === '') this.page(request, response);
    else this.#sendAsset(this.#exchange(request, response), undefined);
  }

  #exchange(request: ConsoleRequest, response: ConsoleResponse): ConsoleExchange {
    return new ConsoleExchange(this.host.httpAdapter, request, response);
  }

  #place(exchange: ConsoleExchange): ReturnType<ConsoleEntries['placeOf']> {
    const key = exchange.query('key');
    if (key === undefined) throw new ConsoleError(400, '"key" is missing');
    return this.entries.placeOf(exchange.query('cluster'), key, exchange.query('layer'));
  }

  async #read(
    request: ConsoleRequest,
    response: ConsoleResponse,
    answer: (exchange: ConsoleExchange) => object | Promise<object>,
  ): Promise<void> {
    const exchange = this.#exchange(request, response);
    await this.#answering(exchange, async () => {
      checkSameOrigin(exchange);
      exchange.json(200, await answer(exchange));
    });
  }

  async #write(
    request: ConsoleRequest,
    response: ConsoleResponse,
    answer: (write: WriteRequest) => object | Promise<object>,
  ): Promise<void> {
    const exchange = this.#exchange(request, response);
    await this.#answering(exchange, async () => {
      checkSameOrigin(exchange);
      const body = bodyOf(exchange);
      if (!this.settings.write) {
        throw new ConsoleError(
          403,
          'the console is read-only: set write: true in the options of EtcdTriggerConsoleModule',
        );
      }
      const author = await this.#authorOf(request);
      exchange.json(200, await answer({ body, author }));
    });
  }

  /** Errors are answered here, so that no filter of the application decides what is sent. */
  async #answering(exchange: ConsoleExchange, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (error instanceof ConsoleError) {
        exchange.json(error.status, { message: error.message, ...error.details });
      } else if (error instanceof EtcdTriggerError) {
        exchange.json(statusOf(error), { message: error.message, ...detailsOf(error) });
      } else {
        this.#log.error(`a request of the console failed unexpectedly: ${describeThrown(error)}`);
        exchange.json(500, { message: 'the request failed unexpectedly; the log of the application names the error' });
      }
    }
  }

  async #pageState(request: ConsoleRequest): Promise<Parameters<ConsoleEvents['open']>[1]> {
    const { write } = this.settings;
    const author = await this.#authorOf(request).catch(() => undefined);
    return { write, author: author ?? null, instance: this.stateOfClusters.instance };
  }

  /** @throws ConsoleError if the option `author` fails, or returns no name that can be recorded */
  async #authorOf(request: ConsoleRequest): Promise<string | undefined> {
    const { author } = this.settings;
    if (!author) return undefined;
    let name: unknown;
    try {
      name = await author(request);
    } catch (error) {
      this.#log.error(`"author" of EtcdTriggerConsoleModule failed: ${describeThrown(error)}`);
      throw new ConsoleError(403, 'the author of the request could not be determined, so nothing was written');
    }
    if (typeof name === 'string' && name.length > MAX_AUTHOR) {
      this.#log.error(
        `"author" of EtcdTriggerConsoleModule returned a name of ${name.length} characters; return at most ${MAX_AUTHOR}`,
      );
      throw new ConsoleError(500, 'the name of the author is too long to be recorded, so nothing was written');
    }
    if (typeof name === 'string' && name !== '') return name;
    throw new ConsoleError(403, 'the author of the request is unknown, so nothing was written');
  }

  #sendAsset(exchange: ConsoleExchange, asset: PageAsset | undefined): void {
    if (!asset) exchange.json(404, { message: 'the console has no such page' });
    else if (exchange.header('if-none-match') === asset.etag) exchange.send(304, '', { etag: asset.etag });
    else {
      exchange.send(200, asset.content, { 'content-type': asset.type, 'cache-control': 'no-cache', etag: asset.etag });
    }
  }
}
