import type { WatchTarget } from '../../backend/key-range.js';
import { appendMetadata, metadataOf } from './watch-key.decorator.js';

/** One `@OnWatchError` on a method. */
export interface OnWatchErrorMetadata {
  /** `undefined`: every target that a `@WatchKey` of the cluster watches. */
  readonly target: WatchTarget | undefined;
  readonly cluster: string;
}

const ON_WATCH_ERROR = Symbol.for('nestjs-etcd-trigger:on-watch-error');

/**
 * Calls the method with a `WatchFailure` for every event that a `@WatchKey` method was called with in vain and that was given up: of the given target,
 * or of every target. What it throws is logged and goes no further.
 *
 * @throws InvalidOptionsError when it does not stand on an instance method
 */
export function OnWatchError(
  target?: WatchTarget,
  { cluster = 'default' }: { readonly cluster?: string } = {},
): MethodDecorator {
  return (owner, name, descriptor) => {
    const metadata: OnWatchErrorMetadata = { target, cluster };
    appendMetadata(ON_WATCH_ERROR, '@OnWatchError', owner, name, descriptor, metadata);
  };
}

export const onWatchErrorsOf = (method: object): readonly OnWatchErrorMetadata[] =>
  metadataOf(ON_WATCH_ERROR, method) as readonly OnWatchErrorMetadata[];
