import { Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsString } from 'class-validator';
import {
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  OnWatchResync,
  type ResyncNotice,
  StoreService,
  type WatchBatch,
  type WatchEvent,
  WatchKey,
  WatcherService,
  type WatchSubscription,
} from 'nestjs-etcd-trigger';
import { quiet } from '../../support/quiet-logger.js';
import type { Loss } from './listener-history.js';
import { ListenerLog } from './listener-log.js';
import { RANGES, SET_KEYS, TOUCH_KEYS } from './operation.js';
import type { StoreHistory } from './store-history.js';

/** Configuration class of the keys under the configuration prefix. */
export class LabConfig {
  @IsString() id!: string;
  @IsString() filler!: string;
}

@Injectable()
class LabHandlers {
  constructor(private readonly log: ListenerLog) {}

  @WatchKey(RANGES.some)
  onEvent(event: WatchEvent): void {
    this.log.onEvent(event);
  }

  @OnWatchResync()
  onResync(notice: ResyncNotice): void {
    this.log.onNotice(notice);
  }
}

/** One listener under test. */
export interface LabListener {
  readonly log: ListenerLog;
  readonly subscription?: WatchSubscription;
  /** True if the listener is slow on purpose. Recovery times exclude it. */
  readonly isSlow: boolean;
  readonly close: () => Promise<void>;
}

/** Queued events, running calls, and one revision of the largest size that may exceed the queue's limit. */
const MAX_PENDING = 1_000 + 16 + 128;

/** An application with every kind of listener. It connects through the proxies and uses only the public API. */
export class LabApplication {
  readonly violations: string[] = [];
  readonly #app: INestApplication;
  readonly #storeHistory: StoreHistory;
  readonly #listeners = new Set<LabListener>();
  #block: { readonly ended: Promise<void>; readonly end: () => void } | undefined;

  private constructor(app: INestApplication, storeHistory: StoreHistory) {
    this.#app = app;
    this.#storeHistory = storeHistory;
  }

  static async start(storeHistory: StoreHistory, client: EtcdTriggerOptions['client']): Promise<LabApplication> {
    const handled = logOf(storeHistory, '@WatchKey', 'some');
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({
          client,
          logger: quiet,
          // Startup is slow on a busy machine.
          boot: { policy: 'wait', timeoutMs: 60_000 },
          configs: [{ prefix: RANGES.configs, type: LabConfig }],
        }),
      ],
      providers: [{ provide: LabHandlers, useValue: new LabHandlers(handled) }],
    }).compile();
    const app = new LabApplication(await module.createNestApplication({ logger: false }).init(), storeHistory);
    app.#add(handled, undefined);
    await app.#listen();
    return app;
  }

  get watcher(): WatcherService {
    return this.#app.get(WatcherService);
  }

  get store(): StoreService {
    return this.#app.get(StoreService);
  }

  get listeners(): readonly LabListener[] {
    return [...this.#listeners];
  }

  /** Number of distinct watched targets. Each has one stream. */
  get targets(): number {
    return Object.keys(RANGES).length;
  }

  /** Adds a listener that receives the existing keys first. */
  async joinLate(): Promise<LabListener> {
    const log = logOf(this.#storeHistory, 'late watch', 'all');
    return this.#add(log, await this.watcher.watch(RANGES.all, log.onEvent, { onResync: log.onNotice }));
  }

  /** Adds a listener that starts at a revision. */
  async joinFrom(revision: number): Promise<LabListener> {
    const log = logOf(this.#storeHistory, `watch from ${revision}`, 'all', { begin: revision });
    const options = { fromRevision: revision, onResync: log.onNotice };
    return this.#add(log, await this.watcher.watch(RANGES.all, log.onEvent, options));
  }

  /** Records that every current listener has lost history. */
  recordLoss(loss: Loss): void {
    for (const { log } of this.#listeners) log.recordLoss(loss);
  }

  /** Blocks the slow listener in its next call until `resume()`. */
  stall(): void {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#block = { ended, end };
  }

  resume(): void {
    this.#block?.end();
    this.#block = undefined;
  }

  /** Reports listeners whose queue exceeds its limit. */
  checkQueues(): void {
    for (const { log, subscription } of this.#listeners) {
      if (subscription && subscription.pending > MAX_PENDING) {
        this.violations.push(`unbounded queue: ${subscription.pending} events are pending for ${log.name}`);
      }
    }
  }

  async stop(): Promise<void> {
    this.resume();
    await this.#app.close();
  }

  async #listen(): Promise<void> {
    const { watcher } = this;
    for (const range of ['all', 'one'] as const) {
      const log = logOf(this.#storeHistory, `watch of ${RANGES[range]}`, range);
      const target = range === 'one' ? { key: RANGES.one } : RANGES.all;
      this.#add(log, await watcher.watch(target, log.onEvent, { onResync: log.onNotice }));
    }
    const batches = logOf(this.#storeHistory, 'watchBatch', 'all');
    this.#add(batches, await watcher.watchBatch(RANGES.all, batches.onBatch, { onResync: batches.onNotice }));
    await this.#listenSlowly();
    this.#observe();
    await this.#readStore();
  }

  async #listenSlowly(): Promise<void> {
    const { watcher } = this;
    const blocked = logOf(this.#storeHistory, 'slow watchBatch', 'all');
    const onBatch = async (batch: WatchBatch): Promise<void> => {
      blocked.onBatch(batch);
      await this.#block?.ended;
    };
    this.#add(blocked, await watcher.watchBatch(RANGES.all, onBatch, { onResync: blocked.onNotice }), true);
    const busy = logOf(this.#storeHistory, 'busy watch', 'all', { isConcurrent: true });
    const onEvent = async (event: WatchEvent): Promise<void> => {
      busy.onEvent(event);
      await new Promise((resolve) => setTimeout(resolve, event.revision % 4));
    };
    this.#add(busy, await watcher.watch(RANGES.all, onEvent, { onResync: busy.onNotice }), true);
  }

  #observe(): void {
    const log = logOf(this.#storeHistory, 'observe', 'some');
    const subscription = this.watcher.observe(RANGES.some, { onResync: log.onNotice }).subscribe(log.onEvent);
    this.#add(log, undefined, false, () => {
      subscription.unsubscribe();
    });
  }

  async #readStore(): Promise<void> {
    const log = logOf(this.#storeHistory, 'store', 'configs');
    const subscription = this.store.onChange(RANGES.configs, (change) => {
      log.onChange(change);
      const ids = new Set(SET_KEYS.map((key) => this.store.get(key, LabConfig)?.id));
      if (ids.size > 1)
        this.violations.push(`torn: the store exposes a part of the transaction at revision ${change.revision}`);
    });
    // The store sends no notices; a watch that shares its stream receives them.
    await this.watcher.watch(RANGES.configs, () => undefined, { onResync: log.onNotice });
    this.#add(log, undefined, false, () => {
      subscription.close();
    });
  }

  #add(
    log: ListenerLog,
    subscription: WatchSubscription | undefined,
    isSlow = false,
    end: () => void = () => undefined,
  ): LabListener {
    const listener: LabListener = {
      log,
      isSlow,
      ...(subscription && { subscription }),
      close: async () => {
        end();
        this.#listeners.delete(listener);
        await subscription?.close();
      },
    };
    this.#listeners.add(listener);
    return listener;
  }
}

function logOf(
  storeHistory: StoreHistory,
  name: string,
  range: keyof typeof RANGES,
  { begin = 'list', isConcurrent = false }: { readonly begin?: 'list' | number; readonly isConcurrent?: boolean } = {},
): ListenerLog {
  const target = RANGES[range];
  const includes = (key: string): boolean => (range === 'one' ? key === target : key.startsWith(target));
  const incarnation = storeHistory.incarnations.length - 1;
  return new ListenerLog(
    { name, includes, begin, incarnation, isConcurrent, touchKey: TOUCH_KEYS[range] },
    storeHistory,
  );
}
