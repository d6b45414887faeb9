import {
  type Client,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';

type Definition = MethodDefinition<object, object>;
type Service = Record<string, Definition>;

/** Number of revisions by which a watch starts before the requested one. */
const REVISIONS_TOO_EARLY = 25;
/** Watch id of responses to progress requests. */
const NO_WATCH = '-1';

interface WatchRequest {
  readonly create_request?: { start_revision: string } | null;
}

interface WatchResponse {
  readonly header: object;
  readonly created: boolean;
}

/**
 * Proxy in front of a real member that produces rare but legal responses: it delivers events older than requested, and
 * it reports the store's revision before it has delivered the events up to that revision.
 */
export class EdgeCaseProxy {
  readonly #etcd: Etcd3;
  readonly #server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });

  private constructor(endpoint: string) {
    this.#etcd = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
    const kv = this.#client('KV');
    const watch = this.#client('Watch');
    const service = withByteCodec(serviceOf(kv));
    this.#server.addService(
      service,
      Object.fromEntries(Object.entries(service).map(([name, { path }]) => [name, forwardUnary(kv, path)])),
    );
    this.#server.addService(serviceOf(watch), { Watch: watchWithEdgeCases(watch) });
  }

  static async start(endpoint: string): Promise<{ readonly port: number; readonly stop: () => void }> {
    const proxy = new EdgeCaseProxy(endpoint);
    const port = await new Promise<number>((resolve, reject) => {
      proxy.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    return {
      port,
      stop: () => {
        proxy.#server.forceShutdown();
        proxy.#etcd.close();
      },
    };
  }

  #client(name: 'KV' | 'Watch'): Client {
    const pool = this.#etcd['pool'] as unknown as { hosts: readonly { getServiceClient(name: string): Client }[] };
    const [host] = pool.hosts;
    if (!host) throw new Error('the pool has no host');
    return host.getServiceClient(name);
  }
}

const serviceOf = (client: Client): Service => (client.constructor as unknown as { readonly service: Service }).service;

/** Forwards messages without decoding them: decoding would drop the difference between an empty and a missing field. */
const withByteCodec = (service: Service): Record<string, MethodDefinition<Buffer, Buffer>> =>
  Object.fromEntries(Object.entries(service).map(([name, method]) => [name, { ...method, ...BYTE_CODEC }]));

const identity = (bytes: Buffer): Buffer => bytes;
const BYTE_CODEC = {
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};

const forwardUnary =
  (client: Client, path: string): handleUnaryCall<Buffer, Buffer> =>
  ({ request }, respond) => {
    client.makeUnaryRequest(path, identity, identity, request, new Metadata(), (error, response) => {
      if (error) respond({ code: error.code, details: error.details });
      else respond(null, response);
    });
  };

const watchWithEdgeCases =
  (client: Client): handleBidiStreamingCall<WatchRequest, WatchResponse> =>
  (call) => {
    const { path, requestSerialize, responseDeserialize } = serviceOf(client).Watch as Definition;
    const metadata = new Metadata();
    metadata.set('hasleader', 'true');
    const deserialize = responseDeserialize as (bytes: Buffer) => WatchResponse;
    const upstream = client.makeBidiStreamRequest(path, requestSerialize, deserialize, metadata);
    call.on('data', (request: WatchRequest) => {
      const { create_request: create } = request;
      const start = Math.max(1, Number(create?.start_revision) - REVISIONS_TOO_EARLY);
      upstream.write(create ? { create_request: { ...create, start_revision: String(start) } } : request);
    });
    upstream.on('data', (response: WatchResponse) => {
      call.write(response);
      if (response.created) call.write({ header: response.header, watch_id: NO_WATCH } as unknown as WatchResponse);
    });
    upstream.on('error', (error) => call.emit('error', error));
    upstream.on('end', () => {
      call.end();
    });
    call.on('cancelled', () => {
      upstream.cancel();
    });
    call.on('error', () => {
      upstream.cancel();
    });
  };
