import type { Metadata } from '@grpc/grpc-js';
import { Etcd3, type IOptions } from 'etcd3';
import { ConnectionClosedError, ConnectionTimeoutError, type EtcdTriggerError } from '../../etcd-trigger.errors.js';
import { pause } from '../../timing/backoff.js';
import { within } from '../../timing/time-limit.js';
import { EtcdAuthentication } from './etcd-authentication.js';
import {
  grpcFailure,
  isGrpcFailure,
  isStaleToken,
  isTransient,
  lacksToken,
  neverSent,
  translate,
} from './etcd-errors.js';
import { Member, type PoolHost, type UnaryMethod } from './member.js';
import { SharedToken } from './shared-token.js';

/** Channel options of the module's own connection; the caller's `grpcOptions` win. */
const CHANNEL_OPTIONS = {
  // One watch message holds up to 1,000 whole revisions: 12.6 MB were seen.
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc-node.flow_control_window': 1_048_576,
  // Half-open links are noticed after 10 + 3 s. Below 6 s the server answers pings with GOAWAY.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  // A discarded channel must not hand its stuck connection to its successor.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

interface Pool {
  readonly hosts: readonly PoolHost[];
  readonly authenticator: { getMetadata(): Promise<Metadata> };
}

export interface UnaryOptions {
  /** Operation and key for messages, as `get "/app/a"`. */
  readonly what: string;
  readonly key?: string;
  /** May be sent again after a lost answer. */
  readonly idempotent: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Only this member. */
  readonly member?: Member;
  /** Called when an answer was lost of a request that may have been applied. */
  readonly lost?: (cause: EtcdTriggerError) => EtcdTriggerError;
}

/**
 * The module's own connection: etcd3's channels, credentials and message definitions, without its retries, circuit breakers and
 * authenticator. Every call has a deadline of its own, and tokens are renewed when a member says so.
 */
export class EtcdConnection {
  readonly members: readonly Member[];
  readonly #etcd: Etcd3;
  readonly #pool: Pool;
  readonly #token: SharedToken | undefined;
  readonly #closing = new AbortController();
  #preferred: number;

  constructor(
    options: IOptions,
    /** Limit of a whole unary call, retries included. */
    readonly requestTimeoutMs: number,
  ) {
    const { auth, ...rest } = options;
    this.#etcd = new Etcd3({ ...rest, grpcOptions: { ...CHANNEL_OPTIONS, ...options.grpcOptions } });
    this.#pool = this.#etcd['pool'] as unknown as Pool;
    this.members = this.#pool.hosts.map((host) => new Member(host, () => this.plainMetadata()));
    this.#preferred = Math.floor(Math.random() * this.members.length);
    if (auth) {
      const limits = { limitMs: requestTimeoutMs, closing: this.#closing.signal };
      const authentication = new EtcdAuthentication(auth, this, limits);
      this.#token = new SharedToken(() => authentication.authenticate());
    }
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The member to talk to now. */
  get preferred(): Member {
    return this.members[this.#preferred] as Member;
  }

  prefer(member: Member): void {
    this.#preferred = this.members.indexOf(member);
  }

  /** From now on another member is preferred, if this one still is. */
  avoid(member: Member): void {
    if (this.preferred === member) this.#preferred = (this.#preferred + 1) % this.members.length;
  }

  /** Metadata for one call: the token where one is needed. */
  async metadata(): Promise<Metadata> {
    const metadata = await this.plainMetadata();
    const token = await this.#token?.get();
    if (token !== undefined) metadata.set('token', token);
    return metadata;
  }

  /** Metadata without a token, of the copy of gRPC that etcd3 uses. */
  async plainMetadata(): Promise<Metadata> {
    return (await this.#pool.authenticator.getMetadata()).clone();
  }

  /**
   * A call with this metadata was refused for its token: the next one gets a new token, unless another call has seen to that already.
   * @returns whether there is a user name and password to get one with
   */
  renewToken(used: Metadata): boolean {
    this.#token?.refused(used.get('token')[0]);
    return this.#token !== undefined;
  }

  /**
   * One unary call. What was provably never sent goes to the next member; what is idempotent is tried again until the limit.
   * @throws EtcdTriggerError translated by `etcd-errors.ts`
   */
  async unary<Response>(method: UnaryMethod<Response>, request: object, options: UnaryOptions): Promise<Response> {
    const limitMs = this.requestTimeoutMs;
    const deadline = Date.now() + limitMs;
    let unreachable = 0;
    let renewals = 0;
    for (let attempt = 0; ; attempt += 1) {
      if (this.closed) throw new ConnectionClosedError(`${options.what}: the module is closed`, { key: options.key });
      options.signal?.throwIfAborted();
      const metadata = await within(this.metadata(), Math.max(1, deadline - Date.now()));
      if (!metadata) throw timedOut(options, limitMs);
      // Who had to authenticate may have found that another member answers.
      const member = options.member ?? this.preferred;
      try {
        // A read gets two chances within its limit, so that one silent member does not use it up.
        return await member.call(method, request, {
          metadata,
          deadline: options.idempotent ? Math.min(deadline, Date.now() + limitMs / 2) : deadline,
          signal: options.signal,
        });
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!isGrpcFailure(error)) throw error;
        const failure = grpcFailure(error);
        if ((isStaleToken(failure) || lacksToken(failure)) && renewals < 3 && this.renewToken(metadata)) {
          renewals += 1;
          continue;
        }
        const unsent = neverSent(failure);
        const translated = translate(error, options.what, options.key);
        if (!unsent && !isTransient(failure)) throw translated;
        this.avoid(member);
        if (!unsent && !options.idempotent) throw options.lost?.(translated) ?? translated;
        unreachable = unsent ? unreachable + 1 : 0;
        if (Date.now() >= deadline) throw timedOut(options, limitMs, translated);
        if (options.member || unreachable >= this.members.length) throw translated;
        if (!unsent)
          await pause(20 + Math.random() * 80 * Math.min(attempt, 5), options.signal ?? this.#closing.signal);
      }
    }
  }

  /** Local and immediate; calls under way end with an error. */
  close(): void {
    this.#closing.abort();
    this.#etcd.close();
  }
}

const timedOut = ({ what, key }: UnaryOptions, limitMs: number, cause?: EtcdTriggerError): ConnectionTimeoutError =>
  new ConnectionTimeoutError(`${what}: no answer within ${limitMs} ms`, { key, cause });
