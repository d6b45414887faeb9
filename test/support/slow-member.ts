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
  /** How often it was asked how it is. */
  readonly asked: number;
  /** Requests to authenticate, so far and under way. */
  readonly authentications: number;
  readonly waiting: number;
}

interface SlowMemberOptions {
  /** Gives a token once it has been asked how it is so many times since. */
  readonly questions: number;
  /** What it says meanwhile. @default that it is well */
  readonly refusal?: Pick<StatusObject, 'code' | 'details'>;
}

/** A member that hashes a password, and does nothing else. */
export async function startSlowMember({ questions, refusal }: SlowMemberOptions): Promise<SlowMember> {
  let [asked, authentications] = [0, 0];
  const waiting = new Map<ServerUnaryCall<Buffer, Buffer>, () => void>();
  const authenticate: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
    authentications += 1;
    const begun = asked;
    const hashed = (): void => {
      if (asked - begun < questions) return;
      waiting.delete(call);
      answer(null, TOKEN);
    };
    waiting.set(call, hashed);
    hashed();
  };
  const tellStatus: handleUnaryCall<Buffer, Buffer> = (_, answer) => {
    asked += 1;
    if (refusal && waiting.size > 0) answer(refusal);
    else answer(null, Buffer.alloc(0));
    for (const hashed of waiting.values()) hashed();
  };
  const server = new Server();
  server.addService({ authenticate: bytesAt('/etcdserverpb.Auth/Authenticate') }, { authenticate });
  server.addService({ tellStatus: bytesAt('/etcdserverpb.Maintenance/Status') }, { tellStatus });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    get asked() {
      return asked;
    },
    get authentications() {
      return authentications;
    },
    get waiting() {
      return [...waiting.keys()].filter(({ cancelled }) => !cancelled).length;
    },
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/** etcdserverpb.AuthenticateResponse { token = 2 }. */
const TOKEN = Buffer.from('\x12\x05token');

const same = (bytes: Buffer): Buffer => bytes;

const bytesAt = (path: string): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
