import type { Observable } from 'rxjs';
import { ConnectionClosedError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { ConfigSubscription } from '../store/changes/config-listeners.js';
import type { LiveValue } from '../store/changes/projected-config.js';
import { ValueListeners } from '../store/changes/value-listeners.js';
import { exponentialBackoff } from '../timing/backoff.js';
import { type Clock, SYSTEM_CLOCK } from '../timing/clock.js';
import { Deferred } from '../timing/deferred.js';
import type { ListenerGuard } from '../watch/delivery/listener-guard.js';
import { HeldResource } from './held-resource.js';
import { type Creation, type CreationOutcome, ResourceCreation } from './resource-creation.js';
import type { KeptReason, Live, LiveDescription } from './live.js';

export interface LiveResourceOptions<C, T> {
  /** Begins the log lines: the name of the provider. */
  readonly name: string;
  readonly config: Pick<LiveValue<C | undefined>, 'value' | 'onChange'>;
  /** Names the configuration in messages, such as `key "/app/db"`. */
  readonly subject: string;
  readonly create: (config: C, signal: AbortSignal) => T | Promise<T>;
  readonly dispose: ((resource: T) => unknown) | undefined;
  readonly drainMs: number;
  readonly createTimeoutMs: number;
  readonly log: InstanceLog;
  readonly guard: ListenerGuard;
  readonly clock?: Clock | undefined;
}

/**
 * Builds a resource from a configuration, and builds it again beside the old one after each change. One `create` runs at
 * a time: a change aborts it, and the newest configuration is next.
 */
export class LiveResource<C, T> implements Live<T> {
  readonly #options: LiveResourceOptions<C, T>;
  readonly #clock: Clock;
  readonly #listeners: ValueListeners<T>;
  readonly #creations: ResourceCreation<C, T>;
  readonly #started = new Deferred();
  /** Replaced resources that are not disposed. */
  readonly #retired = new Set<HeldResource<T>>();
  #current: HeldResource<T> | undefined;
  /** The newest configuration; `undefined` before the start. */
  #config: { readonly value: C | undefined } | undefined;
  #creation: Creation<T> | undefined;
  /** True if the newest configuration needs a resource. */
  #isDue = false;
  #isRunning = false;
  #isStopped = false;
  #failures = 0;
  #replacements = 0;
  #reason: KeptReason | undefined;
  #subscription: ConfigSubscription | undefined;
  #cancelRetry: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LiveResourceOptions<C, T>) {
    const { name, guard, log, create, createTimeoutMs, clock = SYSTEM_CLOCK } = options;
    this.#options = options;
    this.#clock = clock;
    this.#listeners = new ValueListeners({ read: () => this.value, guard, subject: name });
    const discard = (resource: T): Promise<void> => this.#discard(resource);
    this.#creations = new ResourceCreation({ name, create, createTimeoutMs, clock, log, discard });
  }

  get value(): T {
    if (this.#current) return this.#current.value;
    throw new ConnectionClosedError(`${this.#options.name}: the first create has not ended`);
  }

  get state(): 'current' | 'kept' {
    return this.#reason ? 'kept' : 'current';
  }

  get changes$(): Observable<T> {
    return this.#listeners.changes$;
  }

  /** True while a resource is created. */
  get isBusy(): boolean {
    return this.#isRunning;
  }

  onChange(listener: (value: T) => unknown): ConfigSubscription {
    return this.#listeners.onChange(listener);
  }

  async use<R>(run: (value: T) => R | Promise<R>): Promise<R> {
    if (this.#current && !this.#closing) return this.#current.use(run);
    throw new ConnectionClosedError(`${this.#options.name}: the module is closed`);
  }

  describe(): LiveDescription {
    const held = this.#current ? [this.#current, ...this.#retired] : [...this.#retired];
    return {
      name: this.#options.name,
      state: this.#closing ? 'closed' : this.#current ? this.state : 'starting',
      reason: this.#reason,
      creating: this.#creation !== undefined,
      failures: this.#failures,
      replacements: this.#replacements,
      uses: held.reduce((sum, { uses }) => sum + uses, 0),
      draining: this.#retired.size,
    };
  }

  /**
   * Resolves when the first resource exists.
   * @throws Error with one sentence if it cannot be created; what `create` threw is described by class and place
   */
  async start(): Promise<void> {
    const { config } = this.#options;
    this.#configured(config.value);
    this.#subscription = config.onChange((value) => {
      this.#configured(value);
    });
    await this.#started.promise;
  }

  /** Creates nothing more. The current resource stays until `close`. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#subscription?.close();
    this.#cancelRetry();
    this.#creation?.supersede();
    this.#started.reject(new ConnectionClosedError(`${this.#options.name}: the module is closed`));
    // Nobody awaits the start any more, unless it is in progress.
    this.#started.promise.catch(() => undefined);
  }

  /** Resolves when all resources are disposed, or their limits have passed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.stop();
    this.#listeners.close();
    if (this.#current) this.#retire(this.#current);
    await this.#creations.ended();
    await Promise.all([...this.#retired].map(({ disposed }) => disposed));
  }

  #configured(value: C | undefined): void {
    if (this.#isStopped || (this.#config && Object.is(this.#config.value, value))) return;
    this.#config = { value };
    this.#failures = 0;
    this.#isDue = true;
    this.#cancelRetry();
    this.#creation?.supersede();
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.#isDue && !this.#isStopped) {
        this.#isDue = false;
        const config = this.#config?.value;
        if (config === undefined) this.#missing();
        else await this.#createFrom(config);
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #createFrom(config: C): Promise<void> {
    this.#creation = this.#creations.begin(config);
    const outcome = await this.#creation.outcome;
    this.#creation = undefined;
    if (outcome.type === 'created') this.#swap(outcome.resource);
    else if (outcome.type === 'failed') this.#failed(outcome);
  }

  /** Readers and listeners have the new resource before the old one is disposed. */
  #swap(resource: T): void {
    const { log, name } = this.#options;
    const old = this.#current;
    if (this.#reason) log.info(`${name}: the resource is current again`);
    this.#reason = undefined;
    this.#failures = 0;
    if (!old || !Object.is(old.value, resource)) {
      this.#current = this.#revived(resource) ?? this.#hold(resource);
      if (old) this.#replacements += 1;
      this.#listeners.notify();
      if (old) this.#retire(old);
    }
    this.#started.resolve();
  }

  #failed({ problem }: CreationOutcome<T> & { readonly type: 'failed' }): void {
    const { log, name } = this.#options;
    if (!this.#current) {
      this.#started.reject(new Error(`${name}: ${problem}`));
      return;
    }
    this.#failures += 1;
    this.#reason = 'create-failed';
    const retryMs = Math.round(exponentialBackoff(this.#failures, RETRY));
    log.error(`${name}: ${problem}; the old resource stays, and create is called again in ${retryMs} ms`);
    this.#cancelRetry = this.#clock.after(retryMs, () => {
      this.#isDue = true;
      void this.#run();
    });
  }

  #missing(): void {
    const { log, name, subject } = this.#options;
    if (!this.#current) {
      this.#started.reject(
        new Error(`${name}: ${subject} has no value: write one, or give its definition a "default" or "required"`),
      );
      return;
    }
    this.#reason = 'config-deleted';
    log.warn(`${name}: ${subject} was deleted; the old resource stays`);
  }

  #hold(resource: T): HeldResource<T> {
    const { name, dispose = () => undefined, drainMs, log } = this.#options;
    return new HeldResource(resource, { name, dispose, drainMs, clock: this.#clock, log });
  }

  /** `create` may return a resource that it has returned before. */
  #revived(resource: T): HeldResource<T> | undefined {
    const revived = [...this.#retired].find((held) => Object.is(held.value, resource) && held.revive());
    if (revived) this.#retired.delete(revived);
    return revived;
  }

  #retire(held: HeldResource<T>): void {
    this.#retired.add(held);
    held.retire();
    void held.disposed.then(() => {
      this.#retired.delete(held);
    });
  }

  /** Disposes the result of a superseded `create`, unless the same resource is in use. */
  async #discard(resource: T): Promise<void> {
    const isHeld = [this.#current, ...this.#retired].some((held) => held && Object.is(held.value, resource));
    if (isHeld) return;
    const held = this.#hold(resource);
    this.#retire(held);
    await held.disposed;
  }
}

/** Wait times between failed calls of `create`, in milliseconds. */
const RETRY = { initialMs: 500, maxMs: 30_000 };
