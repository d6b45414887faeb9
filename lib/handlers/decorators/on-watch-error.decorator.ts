import type { WatchTarget } from '../../backend/key-range.js';
import { checkKnown } from '../../option-checks.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

export interface OnWatchErrorMetadata {
  /** `undefined`: every target that a `@WatchKey` method of the cluster watches. */
  readonly target: WatchTarget | undefined;
  readonly cluster: string;
}

const ON_WATCH_ERROR = Symbol.for('nestjs-etcd-trigger:on-watch-error');

/**
 * Calls the method with a `WatchFailure` for every event that a `@WatchKey` method failed to handle after all retry
 * attempts. Without `target`, the events of all targets are reported. Errors of the method are logged and affect
 * nothing else.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function OnWatchError(
  target?: WatchTarget,
  options: { readonly cluster?: string | undefined } = {},
): MethodDecorator {
  checkKnown(options, { cluster: true }, { owner: ' of @OnWatchError' });
  const { cluster = 'default' } = options;
  return (owner, name, descriptor) => {
    const metadata: OnWatchErrorMetadata = { target, cluster };
    appendMetadata(ON_WATCH_ERROR, '@OnWatchError', owner, name, descriptor, metadata);
  };
}

export const onWatchErrorsOf = (method: object): readonly OnWatchErrorMetadata[] =>
  metadataOf(ON_WATCH_ERROR, method) as readonly OnWatchErrorMetadata[];
