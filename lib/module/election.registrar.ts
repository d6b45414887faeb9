import { BootError, type BootProblem, InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { Coordination } from '../coordination/coordination.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { DecoratedMethod } from '../handlers/decorated-method.js';
import { scopedMethodOf } from '../handlers/enhancers/handler.scope.js';
import { quoted } from '../foreign/foreign-text.js';
import { unknownCluster } from '../handlers/unknown-cluster.js';

export interface ElectionRegistrarOptions {
  readonly cluster: string;
  /** All clusters of the application. An election of any other cluster can never take place. */
  readonly clusters: ReadonlySet<string>;
  /** `undefined` without the option `coordination`. */
  readonly coordination: Coordination | undefined;
  readonly log: InstanceLog;
}

/** Connects the `@OnElected` and `@OnLeadershipLost` methods of one cluster with its elections. */
export class ElectionRegistrar {
  constructor(private readonly options: ElectionRegistrarOptions) {}

  /**
   * Makes this instance a candidate in the elections of these methods.
   * @throws BootError naming every method that can never run
   */
  register(methods: readonly DecoratedMethod[]): void {
    const { cluster, coordination, log } = this.options;
    const problems = methods.flatMap((method) => this.#problemsOf(method));
    if (problems.length > 0) throw new BootError(problems);
    if (!coordination) return;
    for (const method of methods) {
      const call = scopedMethodOf(method);
      for (const { name } of method.onElected.filter((decorator) => decorator.cluster === cluster)) {
        coordination.election(name).onElected({ name: method.name, call: (term) => call(term, [term]) });
        log.info(`${method.name} runs while this instance leads ${quoted(name)}`);
      }
    }
    for (const method of methods) {
      const call = scopedMethodOf(method);
      for (const { name } of method.onLeadershipLost.filter((decorator) => decorator.cluster === cluster)) {
        const elections = coordination.elections.filter((election) => name === undefined || election.name === name);
        for (const election of elections) {
          election.onLeadershipLost({ name: method.name, call: (term) => call(term, [term]) });
        }
      }
    }
  }

  #problemsOf(method: DecoratedMethod): BootProblem[] {
    const { cluster, clusters, coordination } = this.options;
    const problem = (message: string): BootProblem => ({ cluster, subject: method.name, reason: 'failed', message });
    const decorators = [
      ...method.onElected.map((each) => ({ ...each, decorator: `@OnElected('${each.name}')` })),
      ...method.onLeadershipLost.map((each) => ({ ...each, decorator: '@OnLeadershipLost' })),
    ];
    return decorators.flatMap(({ decorator, ...each }) => {
      if (!clusters.has(each.cluster)) return [problem(`${method.name}: ${unknownCluster(each.cluster)}`)];
      if (each.cluster !== cluster) return [];
      if (!coordination) return [problem(coordinationMissing(`${method.name}: ${decorator}`, cluster).message)];
      return nameProblem(method, each.name, coordination).map(problem);
    });
  }
}

function nameProblem(
  { name: method }: DecoratedMethod,
  name: string | undefined,
  coordination: Coordination,
): string[] {
  if (name === undefined) return [];
  try {
    coordination.election(name);
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError) return [`${method}: ${error.message}`];
    throw error;
  }
}
