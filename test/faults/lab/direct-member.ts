import { type Client, type ClientDuplexStream, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import { Etcd3, type IOptions } from 'etcd3';

type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Maintenance' | 'Cluster' | 'Auth';

/** A method of etcd's API as defined by etcd3. 64-bit numbers are decimal strings. */
interface Method {
  readonly path: string;
  readonly requestSerialize: (request: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

export interface RawKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly version: string;
  readonly lease: string;
}

export interface ResponseWithHeader {
  readonly header: { readonly revision: string; readonly member_id: string };
}

export interface WatchResponse extends ResponseWithHeader {
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: RawKeyValue }[];
}

/**
 * A direct connection to a member, without proxies and without this library. It also bypasses etcd3's retries, because
 * the outcome of a write that is sent twice would be ambiguous.
 */
export class DirectMember {
  readonly #etcd: Etcd3;
  readonly #login: IOptions['auth'];
  #metadata: Promise<Metadata> | undefined;

  constructor({ auth, ...options }: IOptions) {
    this.#login = auth;
    this.#etcd = new Etcd3({
      ...options,
      grpcOptions: {
        'grpc.max_receive_message_length': -1,
        'grpc.use_local_subchannel_pool': 1,
        'grpc.initial_reconnect_backoff_ms': 50,
        'grpc.max_reconnect_backoff_ms': 200,
      },
    });
  }

  /** Sends a request exactly once. */
  async call<Response>(service: ServiceName, method: string, request: object, timeoutMs = 3_000): Promise<Response> {
    const metadata = await (this.#metadata ??= this.#authenticate().catch((error: unknown) => {
      this.#metadata = undefined;
      throw error;
    }));
    return this.#send<Response>(service, method, request, metadata, timeoutMs).catch((error: unknown) => {
      if (isInvalidToken(error)) this.#metadata = undefined;
      throw error;
    });
  }

  /** Opens a watch stream. The caller writes the requests. */
  async watch(): Promise<ClientDuplexStream<object, WatchResponse>> {
    const metadata = await this.#authenticate();
    metadata.set('hasleader', 'true');
    const client = this.#client('Watch');
    const { path, requestSerialize, responseDeserialize } = methodOf(client, 'Watch');
    const deserialize = responseDeserialize as (bytes: Buffer) => WatchResponse;
    return client.makeBidiStreamRequest(path, requestSerialize, deserialize, metadata);
  }

  /** True if the member rejects the token. */
  async rejectsToken(token: string): Promise<boolean> {
    const metadata = new Metadata();
    metadata.set('token', token);
    const request = { key: Buffer.from('/'), serializable: true };
    return this.#send('KV', 'Range', request, metadata, 3_000).then(() => false, isInvalidToken);
  }

  close(): void {
    this.#etcd.close();
  }

  async #authenticate(): Promise<Metadata> {
    const metadata = new Metadata();
    if (!this.#login) return metadata;
    const { username: name, password } = this.#login;
    const request = { name, password };
    metadata.set(
      'token',
      (await this.#send<{ token: string }>('Auth', 'Authenticate', request, metadata, 3_000)).token,
    );
    return metadata;
  }

  #send<Response>(
    service: ServiceName,
    name: string,
    request: object,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const client = this.#client(service);
      const { path, requestSerialize, responseDeserialize } = methodOf(client, name);
      const deserialize = responseDeserialize as (bytes: Buffer) => Response;
      const deadline = Date.now() + timeoutMs;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        deserialize,
        request,
        metadata,
        { deadline },
        (error, response) => {
          if (error) reject(error);
          else resolve(response as Response);
        },
      );
    });
  }

  #client(service: ServiceName): Client {
    const pool = this.#etcd['pool'] as unknown as {
      hosts: readonly { getServiceClient(name: ServiceName): Client }[];
    };
    const [host] = pool.hosts;
    if (!host) throw new Error('the pool has no host');
    return host.getServiceClient(service);
  }
}

const isInvalidToken = (error: unknown): boolean => String(error).includes('invalid auth token');

function methodOf(client: Client, name: string): Method {
  const { service } = client.constructor as unknown as { readonly service: ServiceDefinition };
  const method = service[name];
  if (!method) throw new Error(`etcd3 does not know the method ${name}`);
  return method;
}
