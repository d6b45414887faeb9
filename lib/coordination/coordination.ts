import { randomUUID } from 'node:crypto';
import type { ClusterBackend } from '../backend/cluster-backend.js';
import type { FenceRegistry } from '../backend/fence.js';
import type { KeyValueStore } from '../backend/key-value-store.js';
import { SYSTEM_LEASE_CLOCK } from '../backend/lease-clock.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import type { SharedRanges } from '../watch/sharing/shared-ranges.js';
import type { CoordinationContext } from './claim-keeper.js';
import { CoordinationKeys } from './coordination-keys.js';
import type { ResolvedCoordination } from './coordination-options.js';
import { LeaseKeeper } from './lease-keeper.js';

export interface CoordinationDependencies {
  readonly backend: Pick<ClusterBackend, 'leases' | 'leaseClock'>;
  readonly keyValue: KeyValueStore;
  readonly ranges: SharedRanges;
  readonly fences: FenceRegistry;
  readonly log: InstanceLog;
  readonly serviceName: string;
  readonly podName: string;
}

/** This process among the instances of the application. */
export interface InstanceIdentity {
  /** Unique for each start of the process and each cluster. */
  readonly id: string;
  readonly pod: string;
  readonly service: string;
}

/** Everything that this process shares with the other instances in one cluster. Writes nothing before it is used. */
export class Coordination {
  readonly keys: CoordinationKeys;
  readonly instance: InstanceIdentity;
  readonly context: CoordinationContext;

  constructor(options: ResolvedCoordination, dependencies: CoordinationDependencies) {
    const { backend, keyValue, ranges, fences, log, serviceName, podName } = dependencies;
    const clock = backend.leaseClock ?? SYSTEM_LEASE_CLOCK;
    const { leases } = backend;
    this.keys = new CoordinationKeys(options.prefix);
    this.instance = { id: randomUUID(), pod: podName, service: serviceName };
    const keeper = new LeaseKeeper({ leases, keyValue, clock, log, ...options });
    this.context = { keeper, keyValue, ranges, fences, log };
  }

  /** Ends everything locally and without requests. Idempotent. */
  close(): void {
    this.context.keeper.stop();
  }
}
