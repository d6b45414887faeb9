import type { Type } from '@nestjs/common';
import type { WatchTarget } from '../../backend/key-range.js';
import type { GroupOptions } from '../../coordination/groups/group-options.js';
import type { StandardSchema } from '../../dto/standard-schema.js';
import type { OptionNames } from '../../option-checks.js';
import { WATCH_OPTIONS, type WatchOptions } from '../../watch/delivery/watch-options.js';
import type { HandlerDecorator } from './handler-decorator.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

/** Options of `@WatchKey`. */
export interface WatchKeyOptions extends WatchOptions {
  /**
   * The DTO class of the values. The method receives `(value, event, context)`; the value is validated and frozen, and
   * `undefined` on delete.
   */
  readonly type?: Type<object> | undefined;
  /**
   * A Standard Schema of the values (zod, valibot, arktype) in place of a class. It decides itself about unknown
   * properties. Its output must be an object.
   */
  readonly schema?: StandardSchema<unknown, object> | undefined;
  /**
   * Handles values that fail validation. `skip`: the method is not called, and one warning names the violations
   * without the value. `error`: the event fails with an `InvalidConfigError` and is not retried. Requires `type` or
   * `schema`.
   * @default 'skip'
   */
  readonly onInvalid?: 'skip' | 'error' | undefined;
  /**
   * Handles properties that the class does not declare. `strip`: they are removed, and one warning names them.
   * `refuse`: the value is invalid. Requires `type`.
   * @default 'strip'
   */
  readonly unknown?: 'strip' | 'refuse' | undefined;
  /**
   * Calls the method once per revision, with all changes of that revision: `(batch, context)`. Calls never overlap.
   * @default false
   */
  readonly batch?: boolean | undefined;
  /**
   * The cluster to watch, as named in `EtcdTriggerModule.forRoot({ cluster })`.
   * @default 'default'
   */
  readonly cluster?: string | undefined;
  /**
   * Shares the events among the instances of the application: one of them handles each event, and a cursor in etcd
   * remembers the progress when none is running. A string is the name of the group. Requires the option `coordination`.
   * @default none: every instance handles every event
   */
  readonly group?: string | GroupOptions | undefined;
}

/** Options that name the class or the schema of the values. */
export type TypedWatchKeyOptions<T extends object> = WatchKeyOptions &
  (
    | { readonly type: Type<T>; readonly schema?: undefined }
    | { readonly schema: StandardSchema<unknown, T>; readonly type?: undefined }
  );

export const WATCH_KEY_OPTIONS: OptionNames<WatchKeyOptions> = {
  ...WATCH_OPTIONS,
  type: true,
  schema: true,
  onInvalid: true,
  unknown: true,
  batch: true,
  cluster: true,
  group: true,
};

export interface WatchKeyMetadata {
  readonly target: WatchTarget;
  readonly options: WatchKeyOptions;
}

/** The same symbol in every copy of this package. */
const WATCH_KEYS = Symbol.for('nestjs-etcd-trigger:watch-keys');

/**
 * Calls the method for every key of the target at startup, then for every change. Works on methods of providers and
 * controllers, inherited methods included, and may be repeated on a method.
 *
 * A string is a prefix, or a pattern if it has a segment like `:tenant`: `/tenants/:tenant/limits` matches every key
 * with one segment in that place, `/tenants/:tenant/` every key below one such segment. `\\:` at the beginning of a
 * segment is a literal `:`. `{ key }` is exactly one key.
 *
 * With a `type` or a `schema`, the compiler rejects a method whose first parameter does not accept its values and
 * `undefined` (a deletion). If a pipe converts the value to another object, pass the options `as WatchKeyOptions`.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function WatchKey<T extends object>(
  target: WatchTarget,
  options: TypedWatchKeyOptions<T> & { readonly events: 'put' },
): HandlerDecorator<T>;
export function WatchKey<T extends object>(
  target: WatchTarget,
  options: TypedWatchKeyOptions<T>,
): HandlerDecorator<T | undefined>;
export function WatchKey(target: WatchTarget, options?: WatchKeyOptions): MethodDecorator;
export function WatchKey(target: WatchTarget, options: WatchKeyOptions = {}): MethodDecorator {
  return (owner, name, descriptor) => {
    appendMetadata(WATCH_KEYS, '@WatchKey', owner, name, descriptor, { target, options });
  };
}

export const watchKeysOf = (method: object): readonly WatchKeyMetadata[] =>
  metadataOf(WATCH_KEYS, method) as readonly WatchKeyMetadata[];
