import { type GrpcCode, nameOfCode } from './grpc-code.js';
import { printable } from '../../foreign/foreign-text.js';

export interface GrpcErrorOptions {
  readonly cause?: unknown;
  /** @default 'maybe' */
  readonly sent?: 'no' | 'maybe';
}

/** A call that did not end with the status OK. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  /**
   * `'no'`: the server has not processed the request, so even a write may be sent again. The request was never sent, the
   * server refused its stream, or a GOAWAY excluded it. `'maybe'`: everything else.
   */
  readonly sent: 'no' | 'maybe';

  constructor(
    readonly code: GrpcCode,
    readonly details: string,
    { cause, sent = 'maybe' }: GrpcErrorOptions = {},
  ) {
    super(`${nameOfCode(code)}: ${printable(details)}`, cause === undefined ? undefined : { cause });
    this.sent = sent;
  }
}
