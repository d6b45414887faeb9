import { counted } from '../../counted.js';
import { GrpcSession } from '../transport/grpc-session.js';
import { TransportError } from '../transport/transport-error.js';
import type { ConnectionSettings, EtcdCredentials } from './etcd-client.js';
import type { Member } from './member.js';
import { MemberSession } from './member-session.js';
import { onAbort } from '../../timing/on-abort.js';

export interface SessionEvents {
  /** The member left a request unanswered, and has been silent for this time. */
  onSilence(session: MemberSession, silentMs: number): void;
  /** The member finishes open streams and accepts no new ones. */
  onDraining(session: MemberSession): void;
}

const LATE_MS = 1_250;
/** One for the watches that share a stream, one for a watch that pauses or catches up, and one for calls. */
const MIN_STREAMS = 3;
/**
 * A session is given up after this silence. A second session is opened beside it much earlier; where that one is not
 * answered either, as while a server stalls, giving up sooner would only interrupt the watches.
 */
const KEEP_ALIVE = {
  intervalMs: 10_000,
  spacingMs: 6_000,
  lateMs: LATE_MS,
  timeoutMs: 4 * LATE_MS,
  answerMs: 7 * LATE_MS,
};

/**
 * Opens a session with a member, with credentials that are asked for anew. An abort closes it.
 * @throws TransportError; ConnectionError when the application's function for the credentials fails
 */
export async function openSession(
  member: Member,
  { isSecure, credentials, maxMessageBytes }: ConnectionSettings,
  signal: AbortSignal,
  events: SessionEvents,
): Promise<MemberSession> {
  const tls = isSecure ? tlsOptions(await credentials(), member.hostName) : undefined;
  signal.throwIfAborted();
  let session: MemberSession | undefined;
  const grpc = new GrpcSession({
    address: member.address,
    authority: member.authority,
    tls,
    keepAlive: KEEP_ALIVE,
    maxMessageBytes,
    onPingLate: () => {
      if (session) events.onSilence(session, LATE_MS);
    },
    onDraining: () => {
      if (session) events.onDraining(session);
    },
  });
  const close = (): void => {
    grpc.close();
  };
  const stopListening = onAbort(signal, close);
  try {
    await grpc.ready;
    checkLimit(grpc);
    session = new MemberSession(member, grpc, (silent, silentMs) => {
      events.onSilence(silent, silentMs);
    });
    return session;
  } finally {
    stopListening();
  }
}

function checkLimit(grpc: GrpcSession): void {
  const limit = grpc.maxConcurrentStreams;
  if (limit >= MIN_STREAMS) return;
  grpc.close();
  throw new TransportError(
    'connect',
    `the server allows ${counted(limit, 'stream')} per connection; at least ${MIN_STREAMS} are needed`,
  );
}

const tlsOptions = (credentials: EtcdCredentials | undefined, servername: string) => ({
  ca: credentials?.rootCertificate,
  cert: credentials?.certChain,
  key: credentials?.privateKey,
  servername,
});
