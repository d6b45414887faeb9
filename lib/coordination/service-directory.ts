import type { Type } from '@nestjs/common';
import { checkDtoType } from '../dto/dto-type.js';
import { ConnectionClosedError, InvalidOptionsError } from '../etcd-trigger.errors.js';
import { checkKnown } from '../option-checks.js';
import { within } from '../timing/time-limit.js';
import type { CoordinationContext } from './claim-keeper.js';
import { checkName, type CoordinationKeys } from './coordination-keys.js';
import { FollowedService } from './followed-service.js';
import type { InstanceIdentity } from './members.js';
import { type Participant, RELEASE_LIMIT_MS } from './participant.js';
import { RegisteredService } from './registered-service.js';
import { serviceBytesOf } from './service-bytes.js';

/** A registration of this process. */
type Registered = Pick<RegisteredService<object>, 'service' | 'id' | 'isWritten' | 'end'>;

/** A service that this process follows. */
type Followed = Pick<FollowedService<object>, 'service' | 'value' | 'close'>;

/** The services that this process is part of or follows in one cluster. */
export class ServiceDirectory implements Participant {
  readonly #context: CoordinationContext;
  readonly #keys: CoordinationKeys;
  readonly #instance: InstanceIdentity;
  /** By raw key. */
  readonly #registered = new Map<string, Registered>();
  readonly #followed = new Set<Followed>();
  #isStopped = false;

  constructor(context: CoordinationContext, keys: CoordinationKeys, instance: InstanceIdentity) {
    this.#context = context;
    this.#keys = keys;
    this.#instance = instance;
  }

  /** The registrations of this process, until they are closed. */
  get registered(): readonly Registered[] {
    return [...this.#registered.values()];
  }

  get followed(): readonly Followed[] {
    return [...this.#followed];
  }

  /** @throws as `ClusterServices.register` */
  async register<T extends object>(
    service: string,
    self: T,
    options: { readonly id?: string } = {},
  ): Promise<RegisteredService<T>> {
    checkName('the name of a service', service);
    checkKnown(options, { id: true }, { owner: ` of a registration as "${service}"` });
    const { id = this.#instance.id } = options;
    checkName(`the id of an instance of the service "${service}"`, id);
    const value = await serviceBytesOf(service, self);
    this.#checkOpen();
    const rawKey = this.#keys.service(service) + id;
    if (this.#registered.has(rawKey)) {
      throw new InvalidOptionsError(
        `"${id}" is already registered as "${service}" in this process; close that registration, or give another "id"`,
      );
    }
    const onClose = (): void => {
      this.#registered.delete(rawKey);
    };
    const registered = new RegisteredService<T>(this.#context, value, { service, id, rawKey, onClose });
    this.#registered.set(rawKey, registered);
    try {
      await registered.open();
    } catch (error) {
      void registered.end();
      throw error;
    }
    return registered;
  }

  /** @throws as `ClusterServices.follow` */
  follow<T extends object>(service: string, type: Type<T>): FollowedService<T> {
    checkName('the name of a service', service);
    checkDtoType(`the service "${service}"`, type);
    this.#checkOpen();
    const prefix = this.#keys.service(service);
    const onClose = (): void => {
      this.#followed.delete(followed);
    };
    const followed = new FollowedService<T>(this.#context, { service, type, prefix, onClose });
    this.#followed.add(followed);
    return followed;
  }

  start(): void {
    // Services can be registered before the application has started.
  }

  stop(): void {
    this.#isStopped = true;
    for (const registered of this.#registered.values()) void registered.end();
  }

  async drain(): Promise<void> {
    this.stop();
    await within(Promise.all([...this.#registered.values()].map((registered) => registered.end())), RELEASE_LIMIT_MS);
  }

  get busyKeys(): readonly string[] {
    return [];
  }

  close(): void {
    this.stop();
    for (const followed of [...this.#followed]) followed.close();
  }

  #checkOpen(): void {
    if (this.#isStopped) throw new ConnectionClosedError('the module is closed: no service can be used');
  }
}
