import { checkKnown } from '../../option-checks.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

export interface OnLeadershipLostMetadata {
  /** `undefined`: every election of the cluster in which this instance is a candidate. */
  readonly name: string | undefined;
  readonly cluster: string;
}

const ON_LEADERSHIP_LOST = Symbol.for('nestjs-etcd-trigger:on-leadership-lost');

/**
 * Calls the method once with the `Fence` of each term that has ended, after its signal has aborted. If the term has not
 * ended by a loss, the next leader is let in when the method has ended. Errors of the method are logged and affect
 * nothing else. Without a name, it is called for every election in which this instance is a candidate.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function OnLeadershipLost(
  name?: string,
  options: { readonly cluster?: string | undefined } = {},
): MethodDecorator {
  checkKnown(options, { cluster: true }, { owner: ' of @OnLeadershipLost' });
  const { cluster = 'default' } = options;
  return (owner, property, descriptor) => {
    const metadata: OnLeadershipLostMetadata = { name, cluster };
    appendMetadata(ON_LEADERSHIP_LOST, '@OnLeadershipLost', owner, property, descriptor, metadata);
  };
}

export const onLeadershipLostOf = (method: object): readonly OnLeadershipLostMetadata[] =>
  metadataOf(ON_LEADERSHIP_LOST, method) as readonly OnLeadershipLostMetadata[];
