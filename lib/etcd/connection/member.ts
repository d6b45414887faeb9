import {
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  connectivityState,
  type Metadata,
  type ServiceClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { grpcFailure, isTransient, noConnection } from './etcd-errors.js';
import { lacksLeader, LeaderMonitor } from './leader-monitor.js';
import { TurnLimiter } from './turn-limiter.js';
import { unaryCall, type UnaryCallOptions } from './unary-call.js';

/** How long a member may take until a connection stands, and until it accepts a watch. */
export const CONNECT_LIMIT_MS = 3_000;

/**
 * Calls that begin in one turn of the event loop. A thousand watches that begin at once are a thousand ticks that outlive a collection, and from then on V8
 * makes all ticks of the process old objects (allocation-site pretenuring): each keeps its message until a full collection, which made an event cost 1.4 times
 * as much.
 */
const CALLS_A_TURN = 8;

type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Auth' | 'Maintenance' | 'Cluster';

/** What etcd3's pool has for each of its hosts. Not public API, therefore the exact version in package.json. */
export interface PoolHost {
  getServiceClient(name: ServiceName): Client;
  resetAllServices(): void;
  readonly host: string;
  readonly channelCredentials: ChannelCredentials;
  readonly channelOptions?: ChannelOptions;
}

/** One unary method; `decode` replaces the generic decoder where speed matters. */
export interface UnaryMethod<Response> {
  readonly service: ServiceName;
  readonly method: string;
  readonly decode?: (bytes: Buffer) => Response;
}

/** One member of the cluster, as the pool knows it. */
export class Member {
  /** Over the connection that the next stream would take: the one that carries the streams, unless that was discarded. */
  readonly leaderMonitor: LeaderMonitor;
  readonly #host: PoolHost;
  readonly #calls = new TurnLimiter(CALLS_A_TURN);

  /** `plainMetadata`: for a call without a token, of the copy of gRPC that the pool uses. */
  constructor(host: PoolHost, plainMetadata: () => Promise<Metadata>) {
    this.#host = host;
    this.leaderMonitor = new LeaderMonitor(async (signal) =>
      lacksLeader(host.getServiceClient('Watch'), await plainMetadata(), signal),
    );
  }

  /**
   * A client whose connection stands, or has just failed (then its calls say why at once).
   *
   * A channel that failed is not asked again but discarded. When a connection ends before it stands, grpc-js waits 1 s before its next one, then 1.6
   * times as long each time, up to 2 min: alone, it makes its eighth connection 11 to 13 s after the seventh. A link that is cut again right after each
   * reconnection sits that long, which looks like the keepalive (10 + 3), though the end of a connection is noticed at once. How long to wait is for the caller
   * alone to decide.
   */
  async connected(service: ServiceName, limitMs: number): Promise<Client> {
    let client = this.#host.getServiceClient(service);
    if (client.getChannel().getConnectivityState(false) === TRANSIENT_FAILURE) {
      this.discard(service, client);
      client = this.#host.getServiceClient(service);
    }
    const channel = client.getChannel();
    const until = Date.now() + limitMs;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === READY || state === TRANSIENT_FAILURE || state === SHUTDOWN) {
        await this.#calls.pass();
        return client;
      }
      const changed = await new Promise<boolean>((resolve) => {
        channel.watchConnectivityState(state, until, (error) => {
          resolve(error === undefined);
        });
      });
      if (!changed) {
        this.discard(service, client);
        throw noConnection(limitMs);
      }
    }
  }

  /** Calls go over new connections from now on, unless others have seen to that already. */
  discard(service: ServiceName, client: Client): void {
    if (this.#host.getServiceClient(service) === client) this.discardAll();
  }

  /** The same, whatever others have seen to. */
  discardAll(): void {
    this.#host.resetAllServices();
  }

  /**
   * A connection for one purpose, apart from those that all calls share: nobody else discards it, and who opens it closes it. It has no keepalive, which takes a
   * member that is busy beyond measure for dead.
   */
  dial(): Client {
    const { host, channelCredentials, channelOptions } = this.#host;
    const Service = this.#host.getServiceClient('Auth').constructor as unknown as ServiceClientConstructor;
    return new Service(host, channelCredentials, { ...channelOptions, 'grpc.keepalive_time_ms': -1 });
  }

  async call<Response>(
    { service, method, decode }: UnaryMethod<Response>,
    request: object,
    options: UnaryCallOptions,
  ): Promise<Response> {
    const limitMs = Math.min(CONNECT_LIMIT_MS, options.deadline - Date.now());
    const client = await this.connected(service, Math.max(1, limitMs));
    try {
      const { path, requestSerialize, responseDeserialize } = definitionOf(client, method);
      const deserialize = decode ?? (responseDeserialize as (bytes: Buffer) => Response);
      return await unaryCall(client, { path, serialize: requestSerialize, deserialize }, request, options);
    } catch (error) {
      // A connection over which an answer got lost may be a black hole.
      if (isTransient(grpcFailure(error))) this.discard(service, client);
      throw error;
    }
  }
}

/** etcd3's own definition of a method: its path and serializers. */
export function definitionOf(client: Client, method: string): ServiceDefinition[string] {
  const { service } = client.constructor as unknown as { readonly service: ServiceDefinition };
  const definition = service[method];
  if (!definition) throw new Error(`etcd3 does not know the method ${method}`);
  return definition;
}

const { READY, TRANSIENT_FAILURE, SHUTDOWN } = connectivityState;
