import type { BootProblem } from '../etcd-trigger.errors.js';
import type { Coordination } from '../coordination/coordination.js';
import { checkName } from '../coordination/coordination-keys.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { DecoratedMethod } from '../handlers/decorated-method.js';
import { scopedMethodOf } from '../handlers/enhancers/handler.scope.js';
import { quoted } from '../foreign/foreign-text.js';
import { faultsIn, methodProblem, type MethodRegistrar, type MethodsPlan } from '../handlers/method-registrar.js';
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
export class ElectionRegistrar implements MethodRegistrar {
  constructor(private readonly options: ElectionRegistrarOptions) {}

  /** The plan makes this instance a candidate in the elections of the methods. */
  plan(methods: readonly DecoratedMethod[]): MethodsPlan {
    return {
      problems: methods.flatMap((method) => this.#problemsOf(method)),
      apply: () => {
        if (this.options.coordination) this.#register(methods, this.options.coordination);
      },
    };
  }

  #register(methods: readonly DecoratedMethod[], coordination: Coordination): void {
    const { cluster, log } = this.options;
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
        const elections = name === undefined ? coordination.elections : [coordination.election(name)];
        for (const election of elections) {
          election.onLeadershipLost({ name: method.name, call: (term) => call(term, [term]) });
        }
      }
    }
  }

  #problemsOf(method: DecoratedMethod): BootProblem[] {
    const { cluster, clusters, coordination } = this.options;
    const problem = (fault: string): BootProblem => methodProblem(cluster, method.name, fault);
    const decorators = [
      ...method.onElected.map((each) => ({ ...each, decorator: `@OnElected('${each.name}')` })),
      ...method.onLeadershipLost.map((each) => ({ ...each, decorator: '@OnLeadershipLost' })),
    ];
    return decorators.flatMap(({ decorator, ...each }) => {
      if (!clusters.has(each.cluster)) return [problem(unknownCluster(each.cluster))];
      if (each.cluster !== cluster) return [];
      if (!coordination) return [problem(coordinationMissing(decorator, cluster).message)];
      const { name } = each;
      if (name === undefined) return [];
      return faultsIn(() => {
        checkName('the name of an election', name);
        return [];
      }).map(problem);
    });
  }
}
