import type { ClusterCronOptions } from '../../coordination/cron-tick.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkKnown, type OptionNames } from '../../option-checks.js';
import { appendMetadata, metadataOf } from './method-metadata.js';

export interface ClusterCronMetadata {
  readonly expression: string;
  readonly options: ClusterCronOptions;
}

const CLUSTER_CRONS = Symbol.for('nestjs-etcd-trigger:cluster-crons');

const OPTIONS: OptionNames<ClusterCronOptions> = {
  name: true,
  timeZone: true,
  missed: true,
  graceMs: true,
  overlap: true,
  cluster: true,
};

/**
 * Calls the method at each tick of the expression, on one instance of the application and at most once. The method
 * receives a `ClusterCronTick`. The expression has five or six fields, as the package `cron` parses it, which must be
 * installed. Requires the option `coordination`. A method that rejects is logged and counted, and not called again for
 * that tick.
 *
 * @throws InvalidOptionsError if the decorated member is not an instance method, or for an unknown option
 */
export function ClusterCron(expression: string, options: ClusterCronOptions): MethodDecorator {
  if (typeof (options as unknown) !== 'object') {
    throw new InvalidOptionsError(
      "@ClusterCron needs a name for its job: @ClusterCron(expression, { name: 'report' })",
    );
  }
  checkKnown(options, OPTIONS, { owner: ' of @ClusterCron' });
  return (owner, property, descriptor) => {
    const metadata: ClusterCronMetadata = { expression, options };
    appendMetadata(CLUSTER_CRONS, '@ClusterCron', owner, property, descriptor, metadata);
  };
}

export const clusterCronsOf = (method: object): readonly ClusterCronMetadata[] =>
  metadataOf(CLUSTER_CRONS, method) as readonly ClusterCronMetadata[];
