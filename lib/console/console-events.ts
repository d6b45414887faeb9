import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { ConfigChange } from '../store/changes/config-change.js';
import type { ConfigSubscription } from '../store/changes/config-listeners.js';
import type { ConfigRefusal } from '../store/changes/refusal-listeners.js';
import { ChangeListener } from '../store/changes/change-listener.js';
import type { ClusterRuntime } from '../module/cluster.runtime.js';
import { ConsoleClusters } from './console-clusters.js';
import { ConsoleError } from './console-error.js';
import type { ConsoleExchange } from './console-exchange.js';
import { ConsoleState } from './console-state.js';
import { EventPages } from './event-pages.js';

/** Changes that are sent within one second; the others are counted. */
const MAX_CHANGES = 200;

const TICK_MS = 1_000;
const HEARTBEAT_TICKS = 10;

/** The part of a page's state that does not come from the clusters. */
export interface PageState {
  readonly write: boolean;
  readonly author: string | null;
  readonly instance: object;
}

/** Sends the state and the changes of the clusters to the pages. Listens only while a page is open. */
@Injectable()
export class ConsoleEvents implements OnModuleDestroy {
  readonly #pages = new EventPages();
  readonly #pageStates = new Map<object, PageState>();
  #subscriptions: readonly ConfigSubscription[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #sent = 0;
  #skipped = 0;
  #lastState: string | undefined;

  constructor(
    private readonly clusters: ConsoleClusters,
    private readonly state: ConsoleState,
  ) {}

  /** Ends the streams before the server waits for its connections. */
  onModuleDestroy(): void {
    this.#pages.close();
    this.#stop();
  }

  /** @throws ConsoleError if there are too many pages, or the application is closing */
  open(exchange: ConsoleExchange, pageState: PageState): void {
    if (!this.#pages.hasRoom)
      throw new ConsoleError(503, 'there are too many open pages, or the application is closing');
    const page = exchange.openStream();
    if (this.#pages.isEmpty) this.#start();
    this.#pages.add(page, () => {
      this.#pageStates.delete(page);
      if (this.#pages.isEmpty) this.#stop();
    });
    this.#pageStates.set(page, pageState);
    this.#pages.send(page, 'state', { ...pageState, clusters: this.state.clusterStates(false) });
  }

  #start(): void {
    this.#lastState = undefined;
    this.#ticks = 0;
    this.#subscriptions = this.clusters.all.flatMap((cluster) => this.#listen(cluster));
    this.#timer = setInterval(this.#tick, TICK_MS).unref();
  }

  #stop(): void {
    clearInterval(this.#timer);
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions = [];
  }

  /** Existing configurations are not sent, so they are not collected. */
  #listen({ name, definitionFeeds: feeds }: ClusterRuntime): ConfigSubscription[] {
    if (!feeds) return [];
    const onChange = ({ key, type, revision, origin, changedPaths }: ConfigChange): void => {
      this.#send('change', {
        cluster: name,
        key,
        type,
        revision,
        origin,
        changedPaths: changedPaths.slice(0, MAX_PATHS),
      });
    };
    const source = { guard: feeds.guard, existing: () => [] };
    let isStarting = true;
    const onRefusal = (refusal: ConfigRefusal): void => {
      if (!isStarting) this.#send(refusal.type, { cluster: name, ...refusal });
    };
    const subscriptions = [
      feeds.listeners.add(new ChangeListener('', onChange, {}, source)),
      feeds.refusals.add('', onRefusal),
    ];
    // Values that are refused already are delivered in the microtask before this one.
    queueMicrotask(() => {
      isStarting = false;
    });
    return subscriptions;
  }

  #send(event: string, data: object): void {
    this.#sent += 1;
    if (this.#sent > MAX_CHANGES) this.#skipped += 1;
    else this.#pages.broadcast(event, { ...data, at: new Date().toISOString() });
  }

  readonly #tick = (): void => {
    this.#ticks += 1;
    if (this.#skipped > 0) this.#pages.broadcast('skipped', { count: this.#skipped });
    [this.#sent, this.#skipped] = [0, 0];
    if (this.#ticks % HEARTBEAT_TICKS === 0) this.#pages.heartbeat();
    this.#sendState();
  };

  /** Times grow without a change. */
  #sendState(): void {
    const clusters = this.state.clusterStates(false);
    const text = JSON.stringify(clusters, (name, value: unknown) => (TIMES.has(name) ? undefined : value));
    if (text === this.#lastState && this.#ticks % HEARTBEAT_TICKS !== 0) return;
    this.#lastState = text;
    this.#pages.each((page) => {
      this.#pages.send(page, 'state', { ...this.#pageStates.get(page), clusters });
    });
  }
}

const MAX_PATHS = 100;
const TIMES: ReadonlySet<string> = new Set(['confirmedAgoMs', 'remainingMs', 'lagMs', 'ageMs']);
