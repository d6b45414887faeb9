import type { KeyRange } from '../backend/key-range.js';
import type { Coordination } from '../coordination/coordination.js';
import { coordinationMissing } from '../coordination/coordination-options.js';
import type { GroupHandler } from '../coordination/groups/group-handler.js';
import { resolveGroup } from '../coordination/groups/group-options.js';
import { GroupSubscription } from '../coordination/groups/group-subscription.js';
import { hasSecrets } from '../dto/class-metadata.js';
import type { BootProblem } from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';
import type { GroupAttacher, GroupListeners } from '../handlers/group-attacher.js';
import type { HandlerPlan } from '../handlers/handler.plan.js';
import { faultsIn, methodProblem, usedTwice } from '../handlers/method-registrar.js';
import { type DeliveryOptions, resolveDelivery } from '../watch/delivery/delivery-options.js';
import type { WatchHandler } from '../watch/watch-event.js';
import type { WatcherService } from '../watch/watcher.service.js';

export interface GroupRegistrarOptions {
  readonly cluster: string;
  /** `undefined` without the option `coordination`. */
  readonly coordination: Coordination | undefined;
  readonly watcher: WatcherService;
  /** Defaults of all handlers. */
  readonly delivery: DeliveryOptions;
  readonly planEffects: (
    ...given: [...Parameters<GroupHandler['planEffects']>, group: string]
  ) => ReturnType<GroupHandler['planEffects']>;
  /** True if the range may contain keys of a definition with secrets. */
  readonly isSecret: (range: KeyRange) => boolean;
}

/** Connects the `@WatchKey` methods of one cluster that have a group with the coordination. */
export class GroupRegistrar implements GroupAttacher {
  readonly #options: GroupRegistrarOptions;
  /** Method by group. */
  readonly #known = new Map<string, string>();

  constructor(options: GroupRegistrarOptions) {
    this.#options = options;
  }

  problemsOf(plans: readonly HandlerPlan[]): readonly BootProblem[] {
    const { cluster, coordination } = this.#options;
    const known = new Map(this.#known);
    return plans.flatMap((plan) =>
      faultsIn(() => {
        if (plan.options.group === undefined) return [];
        if (!coordination) return [coordinationMissing('"group"', cluster).message];
        const { name } = resolveGroup(plan.options.group);
        const other = known.get(name);
        known.set(name, plan.name);
        if (other !== undefined) return [usedTwice(`the group ${quoted(name)}`, plan.name, other)];
        if (!coordination.keys.overlaps(plan.target.range)) return [];
        return [`its target overlaps "coordination.prefix": use a separate prefix for the coordination`];
      }).map((fault) => methodProblem(cluster, plan.name, fault)),
    );
  }

  attach(plan: HandlerPlan, given: WatchHandler, listeners: GroupListeners): GroupSubscription {
    const { cluster, coordination, watcher, delivery, planEffects, isSecret } = this.#options;
    const { name, target, options, valueType } = plan;
    if (!coordination) throw coordinationMissing('"group"', cluster);
    const group = resolveGroup(options.group ?? '');
    const { range, pattern } = target;
    const { handler, gaveUp } = watcher.instrument(given, { name, range });
    const resolved = resolveDelivery(options, delivery, 'batch' in handler ? 'batch' : 'event');
    const { partitionBy } = group;
    this.#known.set(group.name, name);
    const member = coordination.group(
      {
        options: group,
        name,
        range,
        target: target.identity,
        partitionText:
          pattern &&
          ((key) => {
            const parameters = pattern.match(key);
            return parameters && (partitionBy === undefined ? key : parameters[partitionBy]);
          }),
        handler,
        // Every event counts, and its order.
        delivery: {
          ...resolved,
          delivery: 'every',
          debounceMs: 0,
          order: resolved.order === 'none' ? 'key' : resolved.order,
        },
        mayStoreValues: valueType !== undefined && !hasSecrets(valueType) && !isSecret(range),
        planEffects: (what, build) => planEffects(what, build, group.name),
        onResync: listeners.onResync,
        onError: async (failure) => {
          gaveUp(failure);
          await listeners.onError(failure);
        },
      },
      (error) => {
        watcher.reportUnexpected(name, error);
      },
    );
    return new GroupSubscription(member);
  }
}
