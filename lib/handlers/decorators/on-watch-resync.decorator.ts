import type { WatchTarget } from '../../backend/key-range.js';
import { checkKnown } from '../../option-checks.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

export interface OnWatchResyncMetadata {
  /** `undefined`: every target that a `@WatchKey` method of the cluster watches. */
  readonly target: WatchTarget | undefined;
  readonly cluster: string;
}

const ON_WATCH_RESYNC = Symbol.for('nestjs-etcd-trigger:on-watch-resync');

/**
 * Calls the method with a `ResyncNotice` when lost history was delivered as a net difference instead of single changes.
 * Without `target`, the resyncs of every target that a `@WatchKey` method watches are reported.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function OnWatchResync(
  target?: WatchTarget,
  options: { readonly cluster?: string | undefined } = {},
): MethodDecorator {
  checkKnown(options, { cluster: true }, { owner: ' of @OnWatchResync' });
  const { cluster = 'default' } = options;
  return (owner, name, descriptor) => {
    const metadata: OnWatchResyncMetadata = { target, cluster };
    appendMetadata(ON_WATCH_RESYNC, '@OnWatchResync', owner, name, descriptor, metadata);
  };
}

export const onWatchResyncsOf = (method: object): readonly OnWatchResyncMetadata[] =>
  metadataOf(ON_WATCH_RESYNC, method) as readonly OnWatchResyncMetadata[];
