import { ConnectionClosedError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import { Deferred } from '../timing/deferred.js';
import { keepingAlive } from '../timing/keeping-alive.js';
import type { CoordinationContext } from './claim-keeper.js';
import { KeptKey, KeyTakenError } from './kept-key.js';
import { isRefusal } from './refusal.js';
import { serviceBytesOf } from './service-bytes.js';
import type { ServiceRegistration } from './service-list.js';

export interface RegisteredServiceOptions {
  readonly service: string;
  readonly id: string;
  readonly rawKey: string;
  readonly onClose: () => void;
}

/** A key of a service under the lease of this process. */
export class RegisteredService<T extends object> implements ServiceRegistration<T> {
  readonly #context: CoordinationContext;
  readonly #options: RegisteredServiceOptions;
  readonly #key: KeptKey;
  /** The calls that wait for etcd to confirm the key. */
  readonly #waits = new Set<Deferred<never>>();
  #lastFailure: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(context: CoordinationContext, value: Buffer, options: RegisteredServiceOptions) {
    this.#context = context;
    this.#options = options;
    this.#key = new KeptKey(context.keeper, options.rawKey, value, (error) => {
      this.#failed(error);
    });
  }

  get service(): string {
    return this.#options.service;
  }

  get id(): string {
    return this.#options.id;
  }

  /** See `KeptKey.isWritten`. */
  get isWritten(): boolean {
    return this.#key.isWritten;
  }

  /** @throws EtcdTriggerError if etcd refuses to write the key, which is retried until `close` */
  async open(): Promise<void> {
    this.#key.start();
    await this.#confirmed();
  }

  async update(self: T): Promise<void> {
    const value = await serviceBytesOf(this.service, self);
    if (this.#closed) {
      throw new InvalidOptionsError(`the registration of "${this.id}" as "${this.service}" is closed; register again`);
    }
    this.#key.update(value);
    await this.#confirmed();
  }

  async close(): Promise<void> {
    await keepingAlive(this.end());
  }

  /** Like `close`, but does not keep the process alive. */
  end(): Promise<void> {
    this.#closed ??= this.#key.remove().finally(this.#options.onClose);
    return this.#closed;
  }

  async #confirmed(): Promise<void> {
    const refused = new Deferred<never>();
    this.#waits.add(refused);
    try {
      await keepingAlive(Promise.race([this.#key.whenWritten(), refused.promise]));
    } finally {
      this.#waits.delete(refused);
    }
    this.#lastFailure = undefined;
    if (this.#closed)
      throw new ConnectionClosedError(
        `the registration of "${this.id}" as "${this.service}" was closed before etcd had confirmed it`,
      );
  }

  #failed(error: unknown): void {
    if (isRefusal(error)) for (const refused of this.#waits) refused.reject(error);
    const failure = describe(error);
    if (failure === undefined || failure === this.#lastFailure) return;
    this.#lastFailure = failure;
    this.#context.log.warn(`"${this.id}" cannot be registered as "${this.service}": ${failure}; retrying`);
  }
}

function describe(error: unknown): string | undefined {
  if (error instanceof KeyTakenError) return 'another process has registered this id, or had it and has died';
  return isRefusal(error) ? error.message : undefined;
}
