import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { OptionNames } from '../../option-checks.js';
import { checkOption, checkOptions, shown } from '../argument-checks.js';
import { findEtcd, type EtcdBinary } from './etcd-binary.js';
import { checkProcessOptions, type EtcdTestTls } from './etcd-member-arguments.js';
import { EtcdMember } from './etcd-member.js';
import { EtcdStartError, NoLeaderError } from '../etcd-testing.errors.js';
import { freePorts } from './free-ports.js';

const MAX_ATTEMPTS = 5;
const LEADER_TIMEOUT_MS = 20_000;

const METHOD = 'EtcdTestCluster.start()';
const OPTIONS: OptionNames<EtcdTestClusterOptions> = {
  size: true,
  version: true,
  binary: true,
  tls: true,
  args: true,
  env: true,
  peerUrls: true,
};

/** Options of `EtcdTestCluster.start`. */
export interface EtcdTestClusterOptions {
  /** Number of members. @default 1 */
  readonly size?: number | undefined;
  /** `major.minor`, for example `'3.4'`. @default any */
  readonly version?: string | undefined;
  /** Binary to start. @default the result of `findEtcd` */
  readonly binary?: EtcdBinary | undefined;
  /** Serve clients over TLS. */
  readonly tls?: EtcdTestTls | undefined;
  /** Additional flags for etcd. They override the defaults. */
  readonly args?: readonly string[] | undefined;
  /** Additional environment variables for etcd. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * Returns the URL that the other members use to reach the member at `listenUrl`: return a proxy's URL to simulate
   * partitions. Called again if a port was taken and the cluster starts over with new ports.
   * @default listenUrl
   */
  readonly peerUrls?: ((index: number, listenUrl: string) => string | Promise<string>) | undefined;
}

/**
 * A real etcd cluster on the loopback interface, in a temporary folder. Its processes end with this process at the
 * latest, even if this process is killed.
 */
export class EtcdTestCluster {
  private constructor(
    readonly members: readonly EtcdMember[],
    readonly binary: EtcdBinary,
  ) {}

  /** Finds an etcd binary and starts the members. Resolves when the cluster serves requests. */
  static async start(options: EtcdTestClusterOptions = {}): Promise<EtcdTestCluster> {
    checkOptions(METHOD, options, OPTIONS);
    const { size = 1, version, peerUrls } = options;
    if (!Number.isInteger(size) || size < 1) {
      throw new InvalidOptionsError(`${METHOD}: size is ${shown(size)}, but must be 1 or more`);
    }
    checkOption(METHOD, 'peerUrls', peerUrls === undefined || typeof peerUrls === 'function', 'a function');
    checkProcessOptions(METHOD, options);
    const binary = options.binary ?? (await findEtcd({ version }));
    for (let attempt = 1; ; attempt += 1) {
      const cluster = new EtcdTestCluster(await createMembers(size, binary, options), binary);
      try {
        await cluster.#startAll();
        return cluster;
      } catch (error) {
        await cluster.stop();
        if (attempt === MAX_ATTEMPTS || !(error instanceof EtcdStartError && error.addressInUse)) throw error;
      }
    }
  }

  /** Client URLs of all members. */
  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** Alias of `endpoints`, named like the module's option. */
  get hosts(): string[] {
    return this.endpoints;
  }

  /** Full version, for example `3.5.21`. */
  get version(): string {
    return this.binary.version;
  }

  /** First member. */
  get first(): EtcdMember {
    const [first] = this.members;
    if (first === undefined) throw new InvalidOptionsError('the cluster has no members');
    return first;
  }

  /** Returns the leader. Waits while an election is in progress. */
  async leader(): Promise<EtcdMember> {
    const deadline = Date.now() + LEADER_TIMEOUT_MS;
    do {
      const claims = await Promise.all(
        this.members.map(async (member) => (await member.metric('etcd_server_is_leader').catch(() => 0)) === 1),
      );
      const leaders = this.members.filter((_, index) => claims[index]);
      const [leader] = leaders;
      // A leader that was paused still reports leadership for a moment after it is resumed.
      if (leader && leaders.length === 1) return leader;
      await sleep(20);
    } while (Date.now() < deadline);
    throw new NoLeaderError(LEADER_TIMEOUT_MS);
  }

  /** Kills all members, deletes their data and starts them: an empty store at the same endpoints. */
  async wipe(): Promise<void> {
    await Promise.all(this.members.map((member) => member.wipe()));
    await this.#startAll();
  }

  /** Kills all members and removes their files. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()));
  }

  /** Calls `stop()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Starts all members at once, because one alone never becomes healthy. The first failure aborts the other starts. */
  async #startAll(): Promise<void> {
    const failure = new AbortController();
    await Promise.allSettled(
      this.members.map((member) =>
        member.start(failure.signal).catch((error: unknown) => {
          failure.abort(error);
        }),
      ),
    );
    failure.signal.throwIfAborted();
  }
}

async function createMembers(
  size: number,
  binary: EtcdBinary,
  { tls, args, env, peerUrls = (_, listenUrl) => listenUrl }: EtcdTestClusterOptions,
): Promise<EtcdMember[]> {
  const ports = await freePorts(size * 3);
  const token = randomUUID();
  const plans: { name: string; ports: { client: number; peer: number; metrics: number }; peerUrl: string }[] = [];
  for (let index = 0; index < size; index += 1) {
    const [client = 0, peer = 0, metrics = 0] = ports.slice(index * 3, index * 3 + 3);
    const peerUrl = await peerUrls(index, `http://127.0.0.1:${peer}`);
    plans.push({ name: `etcd-${index}`, ports: { client, peer, metrics }, peerUrl });
  }
  const initialCluster = plans.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  return plans.map((plan) => new EtcdMember({ binary, ...plan, initialCluster, token, tls, args, env }));
}
