import { setMaxListeners } from 'node:events';
import {
  ConnectionClosedError,
  ConnectionError,
  ConnectionTimeoutError,
  EtcdTriggerError,
} from '../../etcd-trigger.errors.js';
import { ConnectionLostError } from '../../backend/list-watcher.js';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { pause } from '../../timing/backoff.js';
import { within } from '../../timing/time-limit.js';
import { GrpcCode } from '../transport/grpc-code.js';
import { GrpcError } from '../transport/grpc-error.js';
import type { Metadata } from '../transport/request-headers.js';
import { afterFailure } from './call-failure.js';
import { BusyLinkLimit } from './busy-link.js';
import { describeConnectionFailures, isConnectTimeout } from './connection-failure.js';
import { EtcdAuthentication } from './etcd-authentication.js';
import type { ConnectionSettings } from './etcd-client.js';
import { isLeaderless, translate } from './etcd-errors.js';
import { HostResolver } from './host-resolver.js';
import { MemberDirectory } from './member-directory.js';
import type { MemberSession } from './member-session.js';
import { openSession } from './open-session.js';
import { OutageLog } from './outage-log.js';
import { NoSessionError, SessionSupervisor } from './session-supervisor.js';
import { SharedToken } from './shared-token.js';

/** One unary method of etcd. */
export interface UnaryMethod<Response> {
  /** For example `/etcdserverpb.KV/Range`. */
  readonly path: string;
  readonly decode: (bytes: Buffer) => Response;
}

export interface RequestOptions {
  /** Operation and key for messages, as `get "/app/a"`. */
  readonly what: string;
  readonly key?: string | undefined;
  /** May be sent again after a lost answer. */
  readonly isIdempotent: boolean;
  /** Nobody waits for the time limit: it grows while the link is busy with other data. */
  readonly isPatient?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only over this session. */
  readonly session?: MemberSession | undefined;
  /** Makes the error for a request that may have been applied. */
  readonly lost?: (cause: EtcdTriggerError) => EtcdTriggerError;
}

export interface EtcdConnectionOptions {
  /** Limit of a whole unary call, retries included, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly log?: InstanceLog | undefined;
}

/** The module's own connection with a cluster: one session, a token, and unary calls with a time limit each. */
export class EtcdConnection {
  readonly #requestTimeoutMs: number;
  readonly #supervisor: SessionSupervisor;
  readonly #token: SharedToken | undefined;
  readonly #closing = new AbortController();

  constructor(settings: ConnectionSettings, { requestTimeoutMs, log }: EtcdConnectionOptions) {
    this.#requestTimeoutMs = requestTimeoutMs;
    // Each call that waits for a session adds a listener, which is no leak.
    setMaxListeners(0, this.#closing.signal);
    const directory = new MemberDirectory(settings.endpoints, new HostResolver());
    const outage = new OutageLog(log);
    this.#supervisor = new SessionSupervisor({
      members: () => directory.list(),
      dial: async (member, signal) => {
        const session = await openSession(member, settings, signal, this.#events);
        outage.ended();
        return session;
      },
      onRoundFailed: (failures) => {
        outage.failed(failures);
      },
    });
    if (settings.user) {
      const options = { user: settings.user, limitMs: requestTimeoutMs, closing: this.#closing.signal };
      const sessions = {
        session: (what: string, signal: AbortSignal) => this.#session(what, signal),
        leave: (session: MemberSession) => {
          this.leave(session);
        },
      };
      const authentication = new EtcdAuthentication(sessions, options);
      this.#token = new SharedToken(() => authentication.authenticate());
    }
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** True after an attempt with every member has failed, until a session is ready. */
  get isDown(): boolean {
    return this.#supervisor.hasFailed;
  }

  /**
   * Resolves to a session for a watch. A watch that begins during an outage waits for its end.
   * @throws ConnectionLostError when the outage begins meanwhile
   */
  async watchSession(signal: AbortSignal): Promise<MemberSession> {
    try {
      return await this.#supervisor.session({ isPatient: this.isDown, signal });
    } catch (error) {
      if (!(error instanceof NoSessionError)) throw error;
      const reason = describeConnectionFailures(error.failures);
      throw new ConnectionLostError(`no connection to etcd: ${reason}`, { cause: error.failures[0] });
    }
  }

  /** Resolves to the token of new calls, `undefined` where none is needed. */
  async token(): Promise<string | undefined> {
    return this.#token?.get();
  }

  /**
   * The server has refused this token: the next call gets a new one.
   * @returns false without a user to authenticate
   */
  renewToken(token: string | undefined): boolean {
    this.#token?.refused(token);
    return this.#token !== undefined;
  }

  /** See `SessionSupervisor.suspect`. */
  suspect(session: MemberSession, silentMs: number): void {
    this.#supervisor.suspect(session, silentMs);
  }

  /** See `SessionSupervisor.leave`. */
  leave(session: MemberSession): void {
    this.#supervisor.leave(session);
  }

  /**
   * Sends one unary call. A request that no server has processed is sent again, an idempotent one is retried, both until
   * the limit.
   * @throws EtcdTriggerError translated by `etcd-errors.ts`
   */
  async unary<Response>(method: UnaryMethod<Response>, request: Buffer, options: RequestOptions): Promise<Response> {
    const { what, key, isIdempotent, isPatient = false, signal } = options;
    const deadline = performance.now() + this.#requestTimeoutMs;
    let renewals = 0;
    let last: EtcdTriggerError | undefined;
    for (let attempt = 0; ; attempt += 1) {
      signal?.throwIfAborted();
      const token = await this.#within(deadline, options, last, this.token());
      const session = options.session ?? (await this.#within(deadline, options, last, this.#callSession(options)));
      const left = Math.max(1, deadline - performance.now());
      // A read has two chances within its limit, so that one lost answer does not use it up.
      const timeoutMs = isIdempotent && attempt === 0 ? Math.min(left, this.#requestTimeoutMs / 2) : left;
      const outcome = await this.#send(session, method.path, request, { token, timeoutMs, isPatient, signal });
      if (Buffer.isBuffer(outcome)) return decoded(method, outcome, options);

      signal?.throwIfAborted();
      const hasUser = this.#token !== undefined;
      const decision = afterFailure(outcome, { isIdempotent, hasUser, renewals, isClosed: this.isClosed });
      const error = decision === 'closed' ? this.#closedError(options) : translate(outcome, what, key);
      if (decision === 'fail' || decision === 'closed') throw error;
      if (decision === 'unknown') throw this.#lost(options, error);
      if (decision === 'renew-token') {
        renewals += 1;
        this.renewToken(token);
        continue;
      }
      if (isLeaderless(outcome)) this.leave(session);
      if (options.session && !options.session.isUsable) throw error;
      last = error;
      if (performance.now() >= deadline) throw this.#timedOut(options, error);
      if (decision === 'retry' || attempt > 0) {
        await pause(20 + Math.random() * 80 * Math.min(attempt, 5), signal ?? this.#closing.signal);
      }
    }
  }

  /** Ends the session at once; calls under way end with an error. */
  close(): void {
    this.#closing.abort();
    this.#supervisor.close();
  }

  readonly #events = {
    onSilence: (session: MemberSession, silentMs: number): void => {
      this.#supervisor.suspect(session, silentMs);
    },
    onDraining: (session: MemberSession): void => {
      this.#supervisor.draining(session);
    },
  };

  async #send(
    session: MemberSession,
    path: string,
    request: Buffer,
    call: Pick<RequestOptions, 'isPatient' | 'signal'> & {
      readonly token: string | undefined;
      readonly timeoutMs: number;
    },
  ): Promise<Buffer | GrpcError> {
    const { grpc } = session;
    const { token, timeoutMs, isPatient, signal } = call;
    const bytes = grpc.bytesReceived;
    const limit = isPatient === true ? new BusyLinkLimit(timeoutMs, () => grpc.bytesReceived) : undefined;
    try {
      const answer = await grpc.unary(path, request, {
        metadata: tokenMetadata(token),
        timeoutMs,
        extend: limit && (() => limit.extend()),
        signal,
      });
      session.hasAnswered = true;
      return answer;
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error;
      // Bytes of other calls prove that the member and the link are alive.
      if (error.code === GrpcCode.DEADLINE_EXCEEDED) {
        this.suspect(session, grpc.bytesReceived === bytes ? timeoutMs : 0);
      }
      return error;
    }
  }

  #callSession({ what, key, signal }: RequestOptions): Promise<MemberSession> {
    return this.#session(what, signal ?? this.#closing.signal, key);
  }

  async #session(what: string, signal: AbortSignal, key?: string): Promise<MemberSession> {
    try {
      return await this.#supervisor.session({ isPatient: false, signal });
    } catch (error) {
      if (this.isClosed) throw this.#closedError({ what, key });
      if (!(error instanceof NoSessionError)) throw error;
      const message = `${what}: no connection to etcd: ${describeConnectionFailures(error.failures)}`;
      const isSilence = error.failures.length > 0 && error.failures.every(isConnectTimeout);
      throw isSilence
        ? new ConnectionTimeoutError(message, { key, cause: error.failures[0] })
        : new ConnectionError(message, { key, cause: error.failures[0] });
    }
  }

  /** The value, or the error of a call that has no time left. */
  async #within<T>(
    deadline: number,
    options: RequestOptions,
    last: EtcdTriggerError | undefined,
    value: Promise<T>,
  ): Promise<T> {
    const found = await within(
      value.then((result) => ({ result })),
      Math.max(1, deadline - performance.now()),
    ).catch((error: unknown) => {
      // The token is requested for all calls: its error names no key.
      throw error instanceof ConnectionClosedError ? this.#closedError(options) : error;
    });
    if (this.isClosed) throw this.#closedError(options);
    if (!found) throw this.#timedOut(options, last);
    return found.result;
  }

  #lost({ lost }: RequestOptions, error: EtcdTriggerError): EtcdTriggerError {
    return lost?.(error) ?? error;
  }

  #closedError({ what, key }: Pick<RequestOptions, 'what' | 'key'>): ConnectionClosedError {
    return new ConnectionClosedError(`${what}: the module is closed`, { key });
  }

  #timedOut({ what, key }: RequestOptions, cause: EtcdTriggerError | undefined): ConnectionTimeoutError {
    return new ConnectionTimeoutError(`${what}: no answer within ${this.#requestTimeoutMs} ms`, { key, cause });
  }
}

/** Metadata of a call with this token. */
export const tokenMetadata = (token: string | undefined): Metadata => (token === undefined ? {} : { token });

function decoded<Response>(method: UnaryMethod<Response>, bytes: Buffer, options: RequestOptions): Response {
  try {
    return method.decode(bytes);
  } catch (cause) {
    if (cause instanceof EtcdTriggerError) throw cause;
    const error = new ConnectionError(`${options.what}: the answer is not a valid message of etcd`, {
      key: options.key,
      cause,
    });
    throw options.lost?.(error) ?? error;
  }
}
