import type { Type } from '@nestjs/common';
import type { WatchTarget } from '../../backend/key-range.js';
import type { OptionNames } from '../../option-checks.js';
import { WATCH_OPTIONS, type WatchOptions } from '../../watch/delivery/watch-options.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

/** Options of `@WatchKey`. */
export interface WatchKeyOptions extends WatchOptions {
  /**
   * The DTO class of the values. The method receives `(value, event, context)`; the value is validated and frozen, and
   * `undefined` on delete.
   */
  readonly type?: Type<object>;
  /**
   * Handles values that fail validation. `skip`: the method is not called, and one warning names the violations
   * without the value. `error`: the event fails with an `InvalidConfigError` and is not retried. Requires `type`.
   * @default 'skip'
   */
  readonly onInvalid?: 'skip' | 'error';
  /**
   * Handles properties that the class does not declare. `strip`: they are removed, and one warning names them.
   * `refuse`: the value is invalid. Requires `type`.
   * @default 'strip'
   */
  readonly unknown?: 'strip' | 'refuse';
  /**
   * Calls the method once per revision, with all changes of that revision: `(batch, context)`. Calls never overlap.
   * @default false
   */
  readonly batch?: boolean;
  /**
   * The cluster to watch, as named in `EtcdTriggerModule.forRoot({ cluster })`.
   * @default 'default'
   */
  readonly cluster?: string;
}

export const WATCH_KEY_OPTIONS: OptionNames<WatchKeyOptions> = {
  ...WATCH_OPTIONS,
  type: true,
  onInvalid: true,
  unknown: true,
  batch: true,
  cluster: true,
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
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function WatchKey(target: WatchTarget, options: WatchKeyOptions = {}): MethodDecorator {
  return (owner, name, descriptor) => {
    appendMetadata(WATCH_KEYS, '@WatchKey', owner, name, descriptor, { target, options });
  };
}

export const watchKeysOf = (method: object): readonly WatchKeyMetadata[] =>
  metadataOf(WATCH_KEYS, method) as readonly WatchKeyMetadata[];
