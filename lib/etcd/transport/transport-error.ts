/**
 * - `connect`: no connection came about: refused, unreachable, TLS rejected, not HTTP/2.
 * - `connect-timeout`: the peer did not send its SETTINGS in time.
 * - `goaway`: the peer asked for the end of the session.
 * - `ping-timeout`: the peer stopped answering.
 * - `lost`: the established connection broke.
 * - `exhausted`: the session has used up its stream ids.
 * - `closed`: the application closed the session.
 */
export type TransportFailure =
  'connect' | 'connect-timeout' | 'goaway' | 'ping-timeout' | 'lost' | 'exhausted' | 'closed';

/** The reason why a session ended or never became ready. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  /** Code of the Node error behind it, such as `ECONNREFUSED` or `ERR_TLS_CERT_ALTNAME_INVALID`. */
  readonly code: string | undefined;

  constructor(
    readonly failure: TransportFailure,
    message: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = codeOf(cause);
  }
}

function codeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  return typeof cause.code === 'string' ? cause.code : undefined;
}
