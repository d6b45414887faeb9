import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http2';

/** Names in lower case, values in ASCII. */
export type Metadata = Readonly<Record<string, string>>;

export interface RequestHeaders {
  readonly path: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly metadata: Metadata | undefined;
  readonly timeoutMs: number | undefined;
}

/** The headers of a call. Metadata cannot replace those of the protocol; throws if it is invalid. */
export function requestHeaders({ path, scheme, authority, metadata, timeoutMs }: RequestHeaders): OutgoingHttpHeaders {
  checkMetadata(metadata);
  const headers: OutgoingHttpHeaders = {
    ...metadata,
    ':method': 'POST',
    ':scheme': scheme,
    ':authority': authority,
    ':path': path,
    te: 'trailers',
    'content-type': 'application/grpc',
  };
  if (timeoutMs !== undefined) headers['grpc-timeout'] = formatTimeout(timeoutMs);
  return headers;
}

/** Node destroys the whole session when it is given an invalid name. */
function checkMetadata(metadata: Metadata = {}): void {
  for (const [name, value] of Object.entries(metadata)) {
    if (!name.startsWith(':')) validateHeaderName(name);
    validateHeaderValue(name, value);
  }
}

const MAX_NUMBER = 99_999_999;

/** Formats a time as a number of at most eight digits and its unit. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole <= MAX_NUMBER ? `${whole}m` : `${Math.min(MAX_NUMBER, Math.ceil(whole / 1_000))}S`;
}
