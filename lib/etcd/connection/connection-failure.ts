import { TransportError } from '../transport/transport-error.js';
import { printable } from '../../foreign/foreign-text.js';
import { messageOf } from '../../foreign/foreign-error.js';

/** Texts of the kernel, of TLS and of the transport, and their meanings. The first match counts. */
const MEANINGS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/ECONNREFUSED ([^\s,]+)/, 'nothing listens at $1'],
  [/(?:EHOSTUNREACH|ENETUNREACH) ([^\s,]+)/, 'no route to $1'],
  [/getaddrinfo (?:ENOTFOUND )?(\S+)/, 'the host name $1 is unknown'],
  [/alert certificate required/, 'the server requires a client certificate, and none was given'],
  [/alert certificate expired/, 'the server rejects the client certificate, which has expired'],
  [/alert unknown ca/, 'the server rejects the client certificate, which it does not trust'],
  // etcd 3.4 gives no more detail.
  [/alert bad certificate/, 'the server rejects the client certificate, or requires one and none was given'],
  [/certificate has expired/, "the server's certificate has expired"],
  [/does not match certificate's altnames/, "the server's certificate is for another name"],
  [/unable to (verify|get)|self.signed/, "the server's certificate is not signed by a trusted authority"],
  [/wrong version number|packet length too long/, 'the client used TLS, which the server does not speak'],
  [/before secure TLS connection|before it was established/, 'the server closed the connection; it may not speak TLS'],
  [
    /ALPN protocol|no application protocol|Protocol error|NGHTTP2|Parse Error/i,
    'the server does not speak HTTP/2, so it is not etcd',
  ],
  [/no HTTP\/2 session within (.+)/, 'no answer within $1'],
  [
    /the peer closed the connection$|ECONNRESET|EPIPE|socket hang up/,
    'the server closed the connection; it may require TLS, or not be etcd',
  ],
];

const MAX_CLAUSES = 3;

/** Describes why no session came about, in one clause a reason. */
export function describeConnectionFailures(failures: readonly unknown[]): string {
  const clauses = [...new Set(failures.map(describeConnectionFailure))];
  const shown = clauses.slice(0, MAX_CLAUSES).join('; ');
  return clauses.length > MAX_CLAUSES ? `${shown}; and others` : shown || 'no host has an address';
}

/** An unknown text is kept, without the source lines and codes of OpenSSL. */
export function describeConnectionFailure(failure: unknown): string {
  const text = failure instanceof Error ? failure.message : messageOf(failure);
  for (const [pattern, meaning] of MEANINGS) {
    const found = pattern.exec(text);
    if (found) return meaning.replace('$1', () => printable(found[1] ?? ''));
  }
  return printable(
    text
      .replace(/^Error: /, '')
      .replace(/\w+:error:\w+:[^:]*:[^:]*:([^:]*):.*/s, '$1')
      .trim(),
  );
}

/** True if the member gave no answer in time, as opposed to refusing the connection. */
export const isConnectTimeout = (failure: unknown): boolean =>
  failure instanceof TransportError && failure.failure === 'connect-timeout';
