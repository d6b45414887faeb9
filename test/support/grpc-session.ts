import { afterEach } from 'vitest';
import { GrpcError } from '../../lib/etcd/transport/grpc-error.js';
import { GrpcSession, type GrpcSessionOptions } from '../../lib/etcd/transport/grpc-session.js';
import type { GrpcStream, StreamOptions } from '../../lib/etcd/transport/grpc-stream.js';

type Opened = (options: Omit<GrpcSessionOptions, 'authority'> & { authority?: string }) => GrpcSession;

/** Opens sessions that are closed after each test, like everything else given to `after`. */
export function sessions(): { open: Opened; after: (stop: () => unknown) => void } {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of cleanups.splice(0).reverse()) await stop();
  });
  return {
    open: (options) => {
      const session = new GrpcSession({ authority: 'test.example', ...options });
      cleanups.push(async () => {
        session.close();
        await session.closed;
      });
      return session;
    },
    after: (stop) => {
      cleanups.push(stop);
    },
  };
}

/** A stream whose messages and end are recorded. */
export class RecordedStream {
  readonly messages: string[] = [];
  readonly ended: Promise<GrpcError | undefined>;
  readonly stream: GrpcStream;
  ends = 0;

  constructor(session: GrpcSession, path: string, options: Partial<StreamOptions> = {}) {
    const { promise, resolve } = withResolvers<GrpcError | undefined>();
    this.ended = promise;
    this.stream = session.openStream(path, {
      onMessage: (bytes) => {
        this.messages.push(bytes.toString());
      },
      ...options,
      onEnd: (error) => {
        this.ends += 1;
        options.onEnd?.(error);
        resolve(error);
      },
    });
  }
}

/** The error of a call that fails, as one line: code, details and whether the server may have processed it. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  try {
    return `succeeded: ${String(await call)}`;
  } catch (error) {
    return describeError(error);
  }
}

export function describeError(error: unknown): string {
  return error instanceof GrpcError ? `${error.message} (sent: ${error.sent})` : String(error);
}

export function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
