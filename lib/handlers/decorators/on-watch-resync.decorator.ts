import type { WatchTarget } from '../../backend/key-range.js';
import { appendMetadata, metadataOf } from './watch-key.decorator.js';

/** One `@OnWatchResync` on a method. */
export interface OnWatchResyncMetadata {
  /** `undefined`: every target that a `@WatchKey` of the cluster watches. */
  readonly target: WatchTarget | undefined;
  readonly cluster: string;
}

const ON_WATCH_RESYNC = Symbol.for('nestjs-etcd-trigger:on-watch-resync');

/**
 * Calls the method with a `ResyncNotice` when the changes of a watched target were delivered as a difference instead of one by one: of the given
 * target, or of every target that a `@WatchKey` method watches.
 *
 * @throws InvalidOptionsError when it does not stand on an instance method
 */
export function OnWatchResync(
  target?: WatchTarget,
  { cluster = 'default' }: { readonly cluster?: string } = {},
): MethodDecorator {
  return (owner, name, descriptor) => {
    const metadata: OnWatchResyncMetadata = { target, cluster };
    appendMetadata(ON_WATCH_RESYNC, '@OnWatchResync', owner, name, descriptor, metadata);
  };
}

export const onWatchResyncsOf = (method: object): readonly OnWatchResyncMetadata[] =>
  metadataOf(ON_WATCH_RESYNC, method) as readonly OnWatchResyncMetadata[];
