import { describe, expect, it } from 'vitest';
import {
  describeConnectionFailure,
  describeConnectionFailures,
  isConnectTimeout,
} from '../../../lib/etcd/connection/connection-failure.js';
import { TransportError } from '../../../lib/etcd/transport/transport-error.js';

describe('describeConnectionFailure', () => {
  it.each([
    ['connect ECONNREFUSED 10.0.0.1:2379', 'nothing listens at 10.0.0.1:2379'],
    ['connect EHOSTUNREACH 10.0.0.1:2379 - Local', 'no route to 10.0.0.1:2379'],
    ['connect ENETUNREACH fd00::1:2379', 'no route to fd00::1:2379'],
    ['getaddrinfo ENOTFOUND etcd', 'the host name etcd is unknown'],
    ['getaddrinfo etcd', 'the host name etcd is unknown'],
    ['no HTTP/2 session within 1250 ms', 'no answer within 1250 ms'],
    [
      "Hostname/IP does not match certificate's altnames: Host: etcd. is not in the cert's altnames: DNS:x",
      "the server's certificate is for another name",
    ],
    ['self-signed certificate in certificate chain', "the server's certificate is not signed by a trusted authority"],
    ['unable to verify the first certificate', "the server's certificate is not signed by a trusted authority"],
    ['certificate has expired', "the server's certificate has expired"],
    [
      '80AC:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../rec.c:1605:SSL alert number 116',
      'the server requires a client certificate, and none was given',
    ],
    ['tlsv1 alert unknown ca', 'the server rejects the client certificate, which it does not trust'],
    [
      '80AC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl3_record.c:355:',
      'the client used TLS, which the server does not speak',
    ],
    ['Protocol error', 'the server does not speak HTTP/2, so it is not etcd'],
    ['read ECONNRESET', 'the server closed the connection; it may require TLS, or not be etcd'],
    ['the peer closed the connection', 'the server closed the connection; it may require TLS, or not be etcd'],
    [
      '80AC:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../rec.c:1601:SSL alert number 40\n',
      'sslv3 alert handshake failure',
    ],
    ['Error: something\nelse', 'something\\nelse'],
  ])('says what %j means', (text, meaning) => {
    expect(describeConnectionFailure(new TransportError('connect', text))).toBe(meaning);
  });

  it('accepts a failure that is no error, and cuts a long text', () => {
    expect(describeConnectionFailure('reason')).toBe('reason');
    expect(describeConnectionFailure(new Error('x'.repeat(1_000)))).toBe(`${'x'.repeat(300)}...`);
  });
});

describe('describeConnectionFailures', () => {
  const refused = (host: number): Error => new Error(`connect ECONNREFUSED 10.0.0.${host}:2379`);

  it('names each reason once', () => {
    expect(describeConnectionFailures([refused(1), refused(2), refused(1)])).toBe(
      'nothing listens at 10.0.0.1:2379; nothing listens at 10.0.0.2:2379',
    );
  });

  it('names three reasons at most', () => {
    const text = describeConnectionFailures([1, 2, 3, 4, 5].map(refused));

    expect(text).toContain('10.0.0.3:2379; and others');
    expect(text).not.toContain('10.0.0.4');
  });

  it('says that no host has an address when nothing could be tried', () => {
    expect(describeConnectionFailures([])).toBe('no host has an address');
  });
});

describe('isConnectTimeout', () => {
  it('is true only for a member that gave no answer in time', () => {
    expect(isConnectTimeout(new TransportError('connect-timeout', 'no HTTP/2 session within 1 s'))).toBe(true);
    expect(isConnectTimeout(new TransportError('connect', 'connect ECONNREFUSED'))).toBe(false);
    expect(isConnectTimeout(new Error('connect-timeout'))).toBe(false);
  });
});
