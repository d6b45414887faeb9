import { checkKnown } from '../../option-checks.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

export interface OnElectedMetadata {
  readonly name: string;
  readonly cluster: string;
}

const ON_ELECTED = Symbol.for('nestjs-etcd-trigger:on-elected');

/**
 * Makes this instance a candidate in an election, and calls the method with the `Fence` of each term. Returning does not
 * end the term: `Election.resign()`, a loss of leadership and the shutdown do. Then the signal of the fence aborts, and
 * the next leader is let in when the method has ended. A method that rejects is logged and counted, and this instance
 * resigns. Requires the option `coordination`. Several methods of one name are called together.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method
 */
export function OnElected(name: string, options: { readonly cluster?: string | undefined } = {}): MethodDecorator {
  checkKnown(options, { cluster: true }, { owner: ' of @OnElected' });
  const { cluster = 'default' } = options;
  return (owner, property, descriptor) => {
    const metadata: OnElectedMetadata = { name, cluster };
    appendMetadata(ON_ELECTED, '@OnElected', owner, property, descriptor, metadata);
  };
}

export const onElectedOf = (method: object): readonly OnElectedMetadata[] =>
  metadataOf(ON_ELECTED, method) as readonly OnElectedMetadata[];
