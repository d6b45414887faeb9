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
import type { Loss } from './history.js';
import { ListenerLog } from './listener-log.js';
import { RANGES, SET_KEYS, TOUCH_KEYS } from './operation.js';
import type { Truth } from './truth.js';

/** What lies under the configurations' prefix. */
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
  /** It may take its time: recovery is not measured by it. */
  readonly isSlow: boolean;
  readonly close: () => Promise<void>;
}

/** Events that may wait for a listener, calls that may run, and one revision that is larger than all of it. */
const PENDING_AT_MOST = 1_000 + 16 + 128;

/** An application that listens in every way the library offers, over the proxies, through its public API only. */
export class LabApplication {
  readonly violations: string[] = [];
  readonly #app: INestApplication;
  readonly #truth: Truth;
  readonly #listeners = new Set<LabListener>();
  #stall: { readonly passed: Promise<void>; readonly end: () => void } | undefined;

  private constructor(app: INestApplication, truth: Truth) {
    this.#app = app;
    this.#truth = truth;
  }

  static async start(truth: Truth, client: EtcdTriggerOptions['client']): Promise<LabApplication> {
    const handled = logOf(truth, '@WatchKey', 'some');
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({
          client,
          logger: quiet,
          // A busy machine takes its time.
          boot: { policy: 'wait', timeoutMs: 60_000 },
          configs: [{ prefix: RANGES.configs, type: LabConfig }],
        }),
      ],
      providers: [{ provide: LabHandlers, useValue: new LabHandlers(handled) }],
    }).compile();
    const app = new LabApplication(await module.createNestApplication({ logger: false }).init(), truth);
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

  /** Different targets that somebody watches: a stream each. */
  get targets(): number {
    return Object.keys(RANGES).length;
  }

  /** A listener that comes late and is given what exists. */
  async joinLate(): Promise<LabListener> {
    const log = logOf(this.#truth, 'late watch', 'all');
    return this.#add(log, await this.watcher.watch(RANGES.all, log.onEvent, { onResync: log.onNotice }));
  }

  /** A listener that wants every change from a revision on. */
  async joinFrom(revision: number): Promise<LabListener> {
    const log = logOf(this.#truth, `watch from ${revision}`, 'all', { begin: revision });
    const options = { fromRevision: revision, onResync: log.onNotice };
    return this.#add(log, await this.watcher.watch(RANGES.all, log.onEvent, options));
  }

  /** Something was taken from all who listen now. */
  lost(loss: Loss): void {
    for (const { log } of this.#listeners) log.lost(loss);
  }

  /** Until it is let go on, the slow listener does not finish what it has begun. */
  stall(): void {
    let end = (): void => undefined;
    const passed = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#stall = { passed, end };
  }

  goOn(): void {
    this.#stall?.end();
    this.#stall = undefined;
  }

  /** What is kept for a listener is bounded. */
  checkQueues(): void {
    for (const { log, subscription } of this.#listeners) {
      if (subscription && subscription.pending > PENDING_AT_MOST) {
        this.violations.push(`unbounded queue: ${subscription.pending} wait for ${log.name}`);
      }
    }
  }

  async stop(): Promise<void> {
    this.goOn();
    await this.#app.close();
  }

  async #listen(): Promise<void> {
    const { watcher } = this;
    for (const range of ['all', 'one'] as const) {
      const log = logOf(this.#truth, `watch of ${RANGES[range]}`, range);
      const target = range === 'one' ? { key: RANGES.one } : RANGES.all;
      this.#add(log, await watcher.watch(target, log.onEvent, { onResync: log.onNotice }));
    }
    const batches = logOf(this.#truth, 'watchBatch', 'all');
    this.#add(batches, await watcher.watchBatch(RANGES.all, batches.onBatch, { onResync: batches.onNotice }));
    await this.#listenSlowly();
    this.#observe();
    await this.#readStore();
  }

  async #listenSlowly(): Promise<void> {
    const { watcher } = this;
    const stalled = logOf(this.#truth, 'slow watchBatch', 'all');
    const onBatch = async (batch: WatchBatch): Promise<void> => {
      stalled.onBatch(batch);
      await this.#stall?.passed;
    };
    this.#add(stalled, await watcher.watchBatch(RANGES.all, onBatch, { onResync: stalled.onNotice }), true);
    const busy = logOf(this.#truth, 'busy watch', 'all', { isConcurrent: true });
    const onEvent = async (event: WatchEvent): Promise<void> => {
      busy.onEvent(event);
      await new Promise((resolve) => setTimeout(resolve, event.revision % 4));
    };
    this.#add(busy, await watcher.watch(RANGES.all, onEvent, { onResync: busy.onNotice }), true);
  }

  #observe(): void {
    const log = logOf(this.#truth, 'observe', 'some');
    const subscription = this.watcher.observe(RANGES.some, { onResync: log.onNotice }).subscribe(log.onEvent);
    this.#add(log, undefined, false, () => {
      subscription.unsubscribe();
    });
  }

  async #readStore(): Promise<void> {
    const log = logOf(this.#truth, 'store', 'configs');
    const subscription = this.store.onChange(RANGES.configs, (change) => {
      log.onChange(change);
      const ids = new Set(SET_KEYS.map((key) => this.store.get(key, LabConfig)?.id));
      if (ids.size > 1) this.violations.push(`torn: the store shows part of a transaction at ${change.revision}`);
    });
    // The store itself announces nothing; whoever shares its stream is told.
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
  truth: Truth,
  name: string,
  range: keyof typeof RANGES,
  { begin = 'list', isConcurrent = false }: { readonly begin?: 'list' | number; readonly isConcurrent?: boolean } = {},
): ListenerLog {
  const target = RANGES[range];
  const includes = (key: string): boolean => (range === 'one' ? key === target : key.startsWith(target));
  const past = truth.pasts.length - 1;
  return new ListenerLog({ name, includes, begin, past, isConcurrent, touchKey: TOUCH_KEYS[range] }, truth);
}
