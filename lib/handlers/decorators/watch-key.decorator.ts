import type { Type } from '@nestjs/common';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { WatchTarget } from '../../backend/key-range.js';
import type { WatchOptions } from '../../watch/delivery/watch-options.js';

/** How a method is called. */
export interface WatchKeyOptions extends WatchOptions {
  /** The DTO class of the values: the method gets `(value, event)`, the value validated and frozen, `undefined` on delete. */
  readonly type?: Type<object>;
  /**
   * What happens with a value that is not valid: the method is not called and one line says where and why, without the value; or the event fails like a
   * call that throws, with an `InvalidConfigError`, and is not tried again. With `type`.
   * @default 'skip'
   */
  readonly onInvalid?: 'skip' | 'error';
  /**
   * Properties that the class does not know are left out with one line naming them, or make the value invalid. With `type`.
   * @default 'strip'
   */
  readonly unknown?: 'strip' | 'refuse';
  /**
   * Call the method with all changes of one revision at once, one call at a time: `(batch: WatchBatch)`.
   * @default false
   */
  readonly batch?: boolean;
  /**
   * The cluster to watch, as named in `EtcdTriggerModule.forRoot({ cluster })`.
   * @default 'default'
   */
  readonly cluster?: string;
}

/** One `@WatchKey` on a method. */
export interface WatchKeyMetadata {
  readonly target: WatchTarget;
  readonly options: WatchKeyOptions;
}

/** The same symbol in every copy of this package. */
const WATCH_KEYS = Symbol.for('nestjs-etcd-trigger:watch-keys');

/**
 * Calls the method for every change of the target, from the first list on: found at application bootstrap on providers and controllers, on inherited
 * methods too. May be repeated on a method. A plain string is a prefix, or with a segment like `:tenant` a pattern: `/tenants/:tenant/limits` is every key
 * with one segment there, `/tenants/:tenant/` every key below one; `\\:` at the beginning of a segment is a literal `:`. `{ key }` is one key exactly.
 *
 * @throws InvalidOptionsError when it does not stand on an instance method
 */
export function WatchKey(target: WatchTarget, options: WatchKeyOptions = {}): MethodDecorator {
  return (owner, name, descriptor) => {
    appendMetadata(WATCH_KEYS, '@WatchKey', owner, name, descriptor, { target, options });
  };
}

export const watchKeysOf = (method: object): readonly WatchKeyMetadata[] =>
  metadataOf(WATCH_KEYS, method) as readonly WatchKeyMetadata[];

/** Adds to the array kept on a method, in the order the decorators are read in. */
export function appendMetadata(
  key: symbol,
  decorator: string,
  owner: object,
  name: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  entry: object,
): void {
  const isStatic = typeof owner === 'function';
  const where = `${isStatic ? owner.name : owner.constructor.name}.${String(name)}`;
  const method: unknown = descriptor?.value;
  if (isStatic || typeof method !== 'function') {
    throw new InvalidOptionsError(
      `${decorator} on ${where} can never run: it belongs on an instance method of a provider or controller`,
    );
  }
  Reflect.defineMetadata(key, [entry, ...metadataOf(key, method)], method);
}

export const metadataOf = (key: symbol, method: object): readonly object[] =>
  (Reflect.getOwnMetadata(key, method) as readonly object[] | undefined) ?? [];
