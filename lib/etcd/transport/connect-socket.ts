import { connect as connectTcp, isIP, Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { TransportError } from './transport-error.js';

/** One address. A name is resolved by Node. */
export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'rejectUnauthorized' | 'checkServerIdentity' | 'secureContext'
> & {
  /** The name or IP address that the server's certificate must carry. */
  readonly servername: string;
};

const CLOSED = 'the peer closed the connection before it was established';

/** Opens a socket that speaks HTTP/2 when `onConnected` is called. `onFailed` may be called before it, at most once. */
export function connectSocket(
  address: SocketAddress,
  tls: TlsOptions | undefined,
  onConnected: () => void,
  onFailed: (error: TransportError) => void,
): Socket {
  const socket = openSocket(address, tls);
  const settle = (error?: TransportError): void => {
    socket.off('error', onError).off('close', onClose);
    // Errors that follow are those of the HTTP/2 session, or nobody's.
    socket.on('error', () => undefined);
    if (error) onFailed(error);
    else onConnected();
  };
  const onError = (cause: NodeJS.ErrnoException): void => {
    // A server without TLS may reset the connection during the handshake instead of closing it.
    const isClosed = tls !== undefined && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
    settle(new TransportError('connect', isClosed ? CLOSED : cause.message, cause));
  };
  const onClose = (): void => {
    settle(new TransportError('connect', CLOSED));
  };
  socket.once('error', onError).once('close', onClose);
  socket.once(tls ? 'secureConnect' : 'connect', () => {
    if (tls && (socket as TLSSocket).alpnProtocol !== 'h2') {
      socket.destroy();
      settle(new TransportError('connect', 'the peer did not negotiate HTTP/2 (ALPN protocol h2)'));
    } else settle();
  });
  return socket;
}

/** Node throws for unusable certificates and ports; here they are errors of the socket, like any other. */
function openSocket(address: SocketAddress, tls: TlsOptions | undefined): Socket {
  try {
    return tls ? openTls(address, tls) : connectTcp({ ...address, noDelay: true });
  } catch (cause) {
    return new Socket().destroy(cause as Error);
  }
}

/** TLS checks the given name, whatever the address; an IP address cannot be sent as the server name. */
function openTls(address: SocketAddress, { servername, ...options }: TlsOptions): TLSSocket {
  const socket = connectTls({
    checkServerIdentity: (_, certificate) => checkServerIdentity(servername, certificate),
    ...options,
    ...address,
    servername: isIP(servername) ? '' : servername,
    ALPNProtocols: ['h2'],
  });
  socket.setNoDelay(true);
  return socket;
}
