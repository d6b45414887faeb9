import { options, startSample } from '../contender.js';
import { WATCH_PATH } from '../grpc-paths.js';
import { type BytesOptions, countMessages, watchRequest } from '../undecoded.js';

/** The part of the module's transport that is used here. The package does not export it. */
interface Transport {
  readonly GrpcSession: new (options: { address: { host: string; port: number }; authority: string }) => {
    readonly ready: Promise<void>;
    openStream(
      path: string,
      handlers: { onMessage: (message: Buffer) => void; onEnd: (error?: Error) => void },
    ): { write(message: Buffer): void };
  };
}

/** The lower bound of the module's own transport: it delivers messages as bytes that are not decoded. */
const built = new URL('../../../dist/etcd/transport/grpc-session.js', import.meta.url);
const { GrpcSession } = (await import(built.href)) as Transport;

const choice = options() as BytesOptions;

const { host: authority, hostname: host, port } = new URL(choice.hosts[0] ?? '');
const finish = startSample();
const session = new GrpcSession({ address: { host, port: Number(port) }, authority });
await session.ready;
const stream = session.openStream(WATCH_PATH, {
  onMessage: countMessages(choice, finish),
  onEnd: (error) => {
    throw error ?? new Error('the server ended the stream');
  },
});
stream.write(watchRequest(choice));
