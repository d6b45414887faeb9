/** How grpc-js wraps what happened. */
const LAST_ERROR = /^No connection established\. Last error: (.*?)(?: \(\d{4}-[^)]*Z\))?\. Resolution note: /s;

/** What gRPC, TLS and the kernel say of a connection that did not come about, and what that means. The first that fits counts. */
const MEANINGS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/^No connection established within (.+)/, 'nobody answered within $1'],
  [/ECONNREFUSED ([^\s,]+)/, 'nothing listens at $1'],
  [/(?:EHOSTUNREACH|ENETUNREACH) ([^\s,]+)/, 'there is no way to $1'],
  [/Name resolution failed for target (?:\w+:)?(\S+)/, 'the name in $1 is not known'],
  [/alert certificate required/, 'the server wants a certificate of the client, and none was given'],
  [/alert certificate expired/, "the server refuses the client's certificate, which has expired"],
  [/alert unknown ca/, "the server refuses the client's certificate, which it does not trust"],
  // Older servers, as Debian's etcd 3.4, say no more.
  [/alert bad certificate/, "the server does not accept the client's certificate, or wants one and none was given"],
  [/certificate has expired/, "the server's certificate has expired"],
  [/does not match certificate's altnames/, "the server's certificate is for another name"],
  [/unable to (verify|get)|self.signed/, "the server's certificate is not signed by an authority that is trusted here"],
  [/wrong version number/, 'TLS was tried, but the server does not speak it'],
  [/before secure TLS connection/, 'the server ended the connection before TLS was established; it may not speak it'],
  [/no application protocol|Protocol error/, 'the server speaks no HTTP/2, so it is not etcd'],
  [/^Failed to connect/, 'the server ended the connection before it stood; it may want TLS, or not be etcd'],
];

/** The details of a connection failure as one clause; what is not known is left as it is, without timestamps and source lines of libraries. */
export function describeConnectionFailure(details: string): string {
  const reason = LAST_ERROR.exec(details)?.[1] ?? details;
  for (const [pattern, meaning] of MEANINGS) {
    const found = pattern.exec(reason);
    if (found) return `no connection to etcd: ${meaning.replace('$1', found[1] ?? '')}`;
  }
  return `no connection to etcd: ${reason
    .replace(/^Error: /, '')
    .replace(/\w+:error:\w+:[^:]*:[^:]*:([^:]*):.*/s, '$1')
    .trim()}`;
}
