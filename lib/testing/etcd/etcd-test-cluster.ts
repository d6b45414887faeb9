import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { findEtcd, type EtcdBinary } from './etcd-binary.js';
import type { EtcdTestTls } from './etcd-member-arguments.js';
import { EtcdMember } from './etcd-member.js';
import { EtcdStartError, NoLeaderError } from '../etcd-testing.errors.js';
import { freePorts } from './free-ports.js';

const ATTEMPTS = 5;
const LEADER_WITHIN_MS = 20_000;

/** What to start. */
export interface EtcdTestClusterOptions {
  /** How many members. @default 1 */
  readonly size?: number | undefined;
  /** `major.minor`, as `'3.4'`. @default any */
  readonly version?: string | undefined;
  /** Start this one instead of finding one. */
  readonly binary?: EtcdBinary | undefined;
  /** Serve clients with TLS. */
  readonly tls?: EtcdTestTls | undefined;
  /** Further flags for etcd; they win over those chosen here. */
  readonly args?: readonly string[] | undefined;
  /** Further variables for etcd's environment. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * The URL under which the other members reach a member that listens at `listenUrl`: put a proxy in between to cut members off from each
   * other. May be asked again, when a port was taken and all are chosen anew. @default listenUrl
   */
  readonly peerUrls?: ((index: number, listenUrl: string) => string | Promise<string>) | undefined;
}

/** A real etcd on the loopback interface, in a temporary folder. It ends with this process at the latest, however that ends. */
export class EtcdTestCluster {
  private constructor(
    readonly members: readonly EtcdMember[],
    readonly binary: EtcdBinary,
  ) {}

  /** Finds an etcd and starts it; resolves when it serves requests. */
  static async start(options: EtcdTestClusterOptions = {}): Promise<EtcdTestCluster> {
    const { size = 1, version, tls } = options;
    if (!Number.isInteger(size) || size < 1) throw new InvalidOptionsError(`size is ${size}, but must be 1 or more`);
    if (tls && !(tls.cert && tls.key && tls.ca)) throw new InvalidOptionsError('tls needs the files ca, cert and key');
    const binary = options.binary ?? (await findEtcd({ version }));
    for (let attempt = 1; ; attempt += 1) {
      const cluster = new EtcdTestCluster(await createMembers(size, binary, options), binary);
      try {
        await cluster.#startAll();
        return cluster;
      } catch (error) {
        await cluster.stop();
        if (attempt === ATTEMPTS || !(error instanceof EtcdStartError && error.addressInUse)) throw error;
      }
    }
  }

  /** Of all members, for clients. */
  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** The same, under the name that the module's options use. */
  get hosts(): string[] {
    return this.endpoints;
  }

  /** The full version, as `3.5.21`. */
  get version(): string {
    return this.binary.version;
  }

  /** The only member, or the first of several. */
  get first(): EtcdMember {
    const [first] = this.members;
    if (first === undefined) throw new InvalidOptionsError('the cluster has no members');
    return first;
  }

  /** The member that leads; waits for an election. */
  async leader(): Promise<EtcdMember> {
    const deadline = Date.now() + LEADER_WITHIN_MS;
    do {
      const claims = await Promise.all(
        this.members.map(async (member) => (await member.metric('etcd_server_is_leader').catch(() => 0)) === 1),
      );
      const leaders = this.members.filter((_, index) => claims[index]);
      const [leader] = leaders;
      // Two claim it for a moment when a leader that was paused comes back.
      if (leader && leaders.length === 1) return leader;
      await sleep(20);
    } while (Date.now() < deadline);
    throw new NoLeaderError(LEADER_WITHIN_MS);
  }

  /** Ends all members, deletes their data and starts them: a new and empty store at the same endpoints. */
  async wipe(): Promise<void> {
    await Promise.all(this.members.map((member) => member.wipe()));
    await this.#startAll();
  }

  /** Ends all members and removes everything they had. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()));
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** All at once, because none of several is healthy alone; the first failure ends the others' attempts too. */
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
