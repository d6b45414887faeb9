import type { BootProblem } from '../etcd-trigger.errors.js';
import type { WatchSubscription } from '../watch/delivery/watch-options.js';
import type { ResyncNotice, WatchFailure, WatchHandler } from '../watch/watch-event.js';
import type { HandlerPlan } from './handler.plan.js';

/** Lets handlers with the option `group` take part in their groups. */
export interface GroupAttacher {
  /** The reasons why the groups of the plans cannot work. */
  problemsOf(plans: readonly HandlerPlan[]): readonly BootProblem[];
  attach(plan: HandlerPlan, handler: WatchHandler, listeners: GroupListeners): WatchSubscription;
}

/** Called for the events of one handler. */
export interface GroupListeners {
  readonly onResync: (notice: ResyncNotice) => Promise<unknown>;
  readonly onError: (failure: WatchFailure) => Promise<unknown>;
}
