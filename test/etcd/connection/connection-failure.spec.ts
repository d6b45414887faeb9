import { describe, expect, it } from 'vitest';
import { describeConnectionFailure } from '../../../lib/etcd/connection/connection-failure.js';

const wrapped = (reason: string, time = ''): string =>
  `No connection established. Last error: ${reason}${time}. Resolution note: `;

describe('a connection that did not come about is described in one clause', () => {
  it.each([
    [wrapped('Error: connect ECONNREFUSED 10.0.0.1:2379'), 'nothing listens at 10.0.0.1:2379'],
    [wrapped('Error: connect EHOSTUNREACH 10.0.0.1:2379 - Local'), 'there is no way to 10.0.0.1:2379'],
    ['Name resolution failed for target dns:etcd:2379', 'the name in etcd:2379 is not known'],
    ['No connection established within 3000 ms', 'nobody answered within 3000 ms'],
    [
      wrapped(
        "Error: Hostname/IP does not match certificate's altnames: Host: etcd. is not in the cert's altnames: DNS:x",
      ),
      "the server's certificate is for another name",
    ],
    [
      wrapped('Error: self-signed certificate in certificate chain'),
      "the server's certificate is not signed by an authority that is trusted here",
    ],
    [wrapped('Protocol error', ' (2026-01-02T03:04:05.678Z)'), 'the server speaks no HTTP/2, so it is not etcd'],
    [wrapped('read ECONNRESET', ' (2026-01-02T03:04:05.678Z)'), 'read ECONNRESET'],
    [
      wrapped(
        '80AC:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../deps/rec.c:1601:SSL alert number 40\n',
      ),
      'sslv3 alert handshake failure',
    ],
    ['Channel closed before call started', 'Channel closed before call started'],
  ])('%s', (details, clause) => {
    expect(describeConnectionFailure(details)).toBe(`no connection to etcd: ${clause}`);
  });
});
