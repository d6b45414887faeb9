import { pause } from '../../timing/backoff.js';
import { ConnectionClosedError } from '../../etcd-trigger.errors.js';
import { decodeToken, encodeAuthenticate } from '../codec/member-codec.js';
import { GrpcError } from '../transport/grpc-error.js';
import type { EtcdUser } from './etcd-client.js';
import { isAuthenticationOff, isLeaderless, isTransient, translate } from './etcd-errors.js';
import { type MemberSession, REQUIRE_LEADER } from './member-session.js';
import { quoted } from '../../foreign/foreign-text.js';

const AUTHENTICATE = '/etcdserverpb.Auth/Authenticate';
/** Longest time that a cluster may take to hash a password. */
const PATIENCE_MS = 120_000;

/** The connection, as far as authenticating needs it. */
export interface Sessions {
  /** @throws EtcdTriggerError when no member can be reached */
  session(what: string, signal: AbortSignal): Promise<MemberSession>;
  leave(session: MemberSession): void;
}

export interface AuthenticationOptions {
  readonly user: () => Promise<EtcdUser>;
  /** Time within which another attempt may begin, in milliseconds. */
  readonly limitMs: number;
  readonly closing: AbortSignal;
}

/**
 * Requests tokens for a user.
 *
 * Servers hash passwords slowly by design, and an abandoned attempt costs the cluster as much as a complete one. So an
 * attempt lasts as long as the member needs; the session notices by itself when the member or the link is lost.
 */
export class EtcdAuthentication {
  readonly #sessions: Sessions;
  readonly #options: AuthenticationOptions;

  constructor(sessions: Sessions, options: AuthenticationOptions) {
    this.#sessions = sessions;
    this.#options = options;
  }

  /**
   * Resolves to a token, or to `undefined` where authentication is disabled.
   * @throws AuthenticationError for a wrong name or password; ConnectionError when no member can be reached;
   * ConnectionClosedError
   */
  async authenticate(): Promise<string | undefined> {
    const { limitMs, closing, user } = this.#options;
    const until = performance.now() + limitMs;
    for (;;) {
      const { username, password } = await user();
      const what = `authenticate user ${quoted(username)}`;
      const session = await this.#sessions.session(what, closing);
      try {
        return await this.#request(session, encodeAuthenticate(username, password));
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        if (closing.aborted) throw new ConnectionClosedError(`${what}: the module is closed`, { cause: error });
        if (isAuthenticationOff(error)) return undefined;
        if (isLeaderless(error)) this.#sessions.leave(session);
        if ((error.sent === 'maybe' && !isTransient(error)) || performance.now() >= until) {
          throw translate(error, what);
        }
        await pause(20 + Math.random() * 400, closing);
      }
    }
  }

  /** A member without a leader refuses at once, instead of waiting for a proposal that cannot succeed. */
  async #request(session: MemberSession, request: Buffer): Promise<string> {
    const { closing: signal } = this.#options;
    const endMonitoring = session.leaderMonitor.watch(() => {
      this.#sessions.leave(session);
    });
    try {
      const options = { metadata: REQUIRE_LEADER, timeoutMs: PATIENCE_MS, signal };
      return decodeToken(await session.grpc.unary(AUTHENTICATE, request, options));
    } finally {
      endMonitoring();
    }
  }
}
