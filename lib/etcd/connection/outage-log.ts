import type { InstanceLog } from '../../etcd-trigger.log.js';
import { describeConnectionFailures } from './connection-failure.js';

/** Failures that an operator must mend, unlike a member that is away. */
const NEEDS_OPERATOR = /certificate|TLS|credentials|HTTP\/2|host name|per connection/;

/** Logs why a cluster cannot be reached where waiting does not help: each reason once in an outage. */
export class OutageLog {
  readonly #logged = new Set<string>();

  constructor(private readonly log: InstanceLog | undefined) {}

  failed(failures: readonly unknown[]): void {
    const reason = describeConnectionFailures(failures);
    if (!NEEDS_OPERATOR.test(reason) || this.#logged.has(reason)) return;
    this.#logged.add(reason);
    this.log?.warn(`no connection to etcd, retrying: ${reason}`);
  }

  ended(): void {
    this.#logged.clear();
  }
}
