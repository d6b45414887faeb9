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

/** How many revisions older than asked for the events of a watch begin. */
const TOO_OLD = 25;
/** The watch id of answers to progress requests. */
const NO_WATCH = '-1';

interface WatchRequest {
  readonly create_request?: { start_revision: string } | null;
}

interface WatchAnswer {
  readonly header: object;
  readonly created: boolean;
}

/**
 * Stands before a real member and does what a member may do and seldom does: it delivers events older than those asked for, and it says how far the
 * store is before it has delivered what led there.
 */
export class AwkwardMember {
  readonly #etcd: Etcd3;
  readonly #server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });

  private constructor(endpoint: string) {
    this.#etcd = new Etcd3({ hosts: endpoint, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
    const kv = this.#client('KV');
    const watch = this.#client('Watch');
    const service = inBytes(serviceOf(kv));
    this.#server.addService(
      service,
      Object.fromEntries(Object.entries(service).map(([name, { path }]) => [name, passOn(kv, path)])),
    );
    this.#server.addService(serviceOf(watch), { Watch: watchAwkwardly(watch) });
  }

  static async start(endpoint: string): Promise<{ readonly port: number; readonly stop: () => void }> {
    const member = new AwkwardMember(endpoint);
    const port = await new Promise<number>((resolve, reject) => {
      member.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    return {
      port,
      stop: () => {
        member.#server.forceShutdown();
        member.#etcd.close();
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

/** Nothing is decoded, so that nothing can change: an empty field that is sent is not the same as none. */
const inBytes = (service: Service): Record<string, MethodDefinition<Buffer, Buffer>> =>
  Object.fromEntries(Object.entries(service).map(([name, method]) => [name, { ...method, ...AS_BYTES }]));

const same = (bytes: Buffer): Buffer => bytes;
const AS_BYTES = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

const passOn =
  (client: Client, path: string): handleUnaryCall<Buffer, Buffer> =>
  ({ request }, answer) => {
    client.makeUnaryRequest(path, same, same, request, new Metadata(), (error, response) => {
      if (error) answer({ code: error.code, details: error.details });
      else answer(null, response);
    });
  };

const watchAwkwardly =
  (client: Client): handleBidiStreamingCall<WatchRequest, WatchAnswer> =>
  (call) => {
    const { path, requestSerialize, responseDeserialize } = serviceOf(client).Watch as Definition;
    const metadata = new Metadata();
    metadata.set('hasleader', 'true');
    const deserialize = responseDeserialize as (bytes: Buffer) => WatchAnswer;
    const upstream = client.makeBidiStreamRequest(path, requestSerialize, deserialize, metadata);
    call.on('data', ({ create_request: create }: WatchRequest) => {
      const start = Math.max(1, Number(create?.start_revision) - TOO_OLD);
      upstream.write({ create_request: { ...create, start_revision: String(start) } });
    });
    upstream.on('data', (answer: WatchAnswer) => {
      call.write(answer);
      if (answer.created) call.write({ header: answer.header, watch_id: NO_WATCH } as unknown as WatchAnswer);
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
