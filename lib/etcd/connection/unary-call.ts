import type { Client, Metadata } from '@grpc/grpc-js';

/** A unary method as it goes over the wire. */
export interface WireMethod<Request, Response> {
  /** As `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly serialize: (request: Request) => Buffer;
  readonly deserialize: (bytes: Buffer) => Response;
}

export interface UnaryCallOptions {
  readonly metadata: Metadata;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** One request over the connection of this client, of whatever service the method is, and its answer. An abort cancels it. */
export function unaryCall<Request, Response>(
  client: Client,
  { path, serialize, deserialize }: WireMethod<Request, Response>,
  request: Request,
  { metadata, deadline, signal }: UnaryCallOptions,
): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      serialize,
      deserialize,
      request,
      metadata,
      { deadline },
      (error, response) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(error);
        else resolve(response as Response);
      },
    );
    const cancel = (): void => {
      call.cancel();
    };
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted) cancel();
  });
}
