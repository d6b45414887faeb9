import {
  type handleUnaryCall,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type StatusObject,
} from '@grpc/grpc-js';

export interface SlowMember extends AsyncDisposable {
  readonly port: number;
  readonly endpoint: string;
  /** Number of status requests. */
  readonly statusRequests: number;
  /** Number of requests to authenticate, and how many of them are pending. */
  readonly authentications: number;
  readonly pending: number;
}

interface SlowMemberOptions {
  /** Number of status requests after which a pending authentication receives its token. */
  readonly statusRequestsUntilToken: number;
  /** Response to status requests while an authentication is pending. @default healthy */
  readonly refusal?: Pick<StatusObject, 'code' | 'details'>;
}

/** A member that only authenticates, slowly. */
export async function startSlowMember({ statusRequestsUntilToken, refusal }: SlowMemberOptions): Promise<SlowMember> {
  let [statusRequests, authentications] = [0, 0];
  const pending = new Map<ServerUnaryCall<Buffer, Buffer>, () => void>();
  const authenticate: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
    authentications += 1;
    const statusRequestsBefore = statusRequests;
    const respondIfDue = (): void => {
      if (statusRequests - statusRequestsBefore < statusRequestsUntilToken) return;
      pending.delete(call);
      respond(null, TOKEN);
    };
    pending.set(call, respondIfDue);
    respondIfDue();
  };
  const reportStatus: handleUnaryCall<Buffer, Buffer> = (_, respond) => {
    statusRequests += 1;
    if (refusal && pending.size > 0) respond(refusal);
    else respond(null, Buffer.alloc(0));
    for (const respond of pending.values()) respond();
  };
  const server = new Server();
  server.addService({ authenticate: byteMethod('/etcdserverpb.Auth/Authenticate') }, { authenticate });
  server.addService({ reportStatus: byteMethod('/etcdserverpb.Maintenance/Status') }, { reportStatus });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    get statusRequests() {
      return statusRequests;
    },
    get authentications() {
      return authentications;
    },
    get pending() {
      return [...pending.keys()].filter(({ cancelled }) => !cancelled).length;
    },
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** etcdserverpb.AuthenticateResponse { token = 2 }. */
const TOKEN = Buffer.from('\x12\x05token');

const identity = (bytes: Buffer): Buffer => bytes;

const byteMethod = (path: string): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
});
