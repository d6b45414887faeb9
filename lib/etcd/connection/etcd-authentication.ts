import type { Client, Metadata } from '@grpc/grpc-js';
import type { IOptions } from 'etcd3';
import { ConnectionClosedError, ConnectionTimeoutError } from '../../etcd-trigger.errors.js';
import { pause } from '../../timing/backoff.js';
import { isAuthenticationOff, isGrpcFailure, isLeaderless, isTransient, neverSent, translate } from './etcd-errors.js';
import { connectionLoss } from './lost-connection.js';
import { CONNECT_LIMIT_MS, definitionOf, type Member } from './member.js';
import { probeStatus, type StatusProbe } from './status-probe.js';
import { unaryCall, type UnaryCallOptions } from './unary-call.js';

/** No cluster should take longer to hash a password. */
const PATIENCE_MS = 120_000;

/** The members of a connection, and which one its calls go to. */
interface Members {
  readonly members: readonly Member[];
  readonly preferred: Member;
  prefer(member: Member): void;
  avoid(member: Member): void;
  /** For a call without a token. */
  plainMetadata(): Promise<Metadata>;
}

interface Limits {
  /** Within this another attempt is begun, milliseconds. */
  readonly limitMs: number;
  readonly closing: AbortSignal;
}

/** What came of one attempt: a token, none where authentication is off, or who answers while the member asked is silent. */
type Outcome = { readonly token: string | undefined } | { readonly elsewhere: Member };

/**
 * Gets tokens for a user.
 *
 * Passwords are hashed slowly by design, and an attempt that is given up has cost the cluster as much as one that is not. So it is begun only on a member that
 * answers, and lasts as long as the member needs; the connection, which nobody else uses, shows by the answers to other questions that it is not lost.
 */
export class EtcdAuthentication {
  readonly #user: NonNullable<IOptions['auth']>;
  readonly #members: Members;
  readonly #limits: Limits;

  constructor(user: NonNullable<IOptions['auth']>, members: Members, limits: Limits) {
    this.#user = user;
    this.#members = members;
    this.#limits = limits;
  }

  /**
   * @returns the token; `undefined` where authentication is off
   * @throws AuthenticationError for a wrong name or password; ConnectionError and ConnectionTimeoutError when no member is of help
   */
  async authenticate(): Promise<string | undefined> {
    const what = `authenticate user "${this.#user.username}"`;
    const { limitMs, closing } = this.#limits;
    const until = Date.now() + limitMs;
    let unreachable = 0;
    for (;;) {
      const member = this.#members.preferred;
      try {
        const outcome = await this.#attempt(member);
        if ('token' in outcome) return outcome.token;
        // What happened to this connection may have happened to others, and they would not be noticed any sooner.
        member.discardAll();
        this.#members.prefer(outcome.elsewhere);
        if (Date.now() >= until) throw new ConnectionTimeoutError(`${what}: no answer within ${limitMs} ms`);
      } catch (error) {
        if (closing.aborted) throw new ConnectionClosedError(`${what}: the module is closed`);
        if (!isGrpcFailure(error)) throw error;
        const translated = translate(error, what);
        if (!isTransient(error) && !neverSent(error)) throw translated;
        member.discardAll();
        this.#members.avoid(member);
        unreachable = neverSent(error) ? unreachable + 1 : 0;
        if (unreachable >= this.#members.members.length || Date.now() >= until) throw translated;
        if (unreachable === 0) await pause(20 + Math.random() * 400, closing);
      }
    }
  }

  async #attempt(member: Member): Promise<Outcome> {
    const metadata = await this.#members.plainMetadata();
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#limits.closing]);
    const client = member.dial();
    const question = { metadata, limitMs: CONNECT_LIMIT_MS, signal };
    const lookout = {
      ask: () => isWell(client, { ...question, limitMs: Infinity }),
      elsewhere: () => this.#whoAnswers(question),
    };
    try {
      await assertAlive(client, question);
      return await Promise.race([
        this.#request(client, { metadata, deadline: Date.now() + PATIENCE_MS, signal }).then((token) => ({ token })),
        connectionLoss(lookout, CONNECT_LIMIT_MS, signal).then((elsewhere) => ({ elsewhere })),
      ]);
    } finally {
      over.abort();
      client.close();
    }
  }

  async #request(client: Client, options: UnaryCallOptions): Promise<string | undefined> {
    const { username: name, password } = this.#user;
    const { path, requestSerialize: serialize, responseDeserialize } = definitionOf(client, 'Authenticate');
    const deserialize = responseDeserialize as (bytes: Buffer) => { readonly token: string };
    try {
      return (await unaryCall(client, { path, serialize, deserialize }, { name, password }, options)).token;
    } catch (error) {
      if (isGrpcFailure(error) && isAuthenticationOff(error)) return undefined;
      throw error;
    }
  }

  /** The first of all members that answers over a new connection; the one that is asked already may be it. */
  async #whoAnswers({ signal, ...question }: StatusProbe): Promise<Member | undefined> {
    const over = new AbortController();
    const answers = this.#members.members.map(async (member) => {
      const client = member.dial();
      try {
        await assertAlive(client, { ...question, signal: AbortSignal.any([over.signal, signal]) });
        return member;
      } finally {
        client.close();
      }
    });
    try {
      return await Promise.any(answers);
    } catch {
      return undefined;
    } finally {
      over.abort();
    }
  }
}

/**
 * Resolves when the member at the other end answers, also with a refusal, and has a leader: nothing comes of authenticating without one.
 * @throws what gRPC or the member says
 */
async function assertAlive(client: Client, question: StatusProbe): Promise<void> {
  const refusal = await probeStatus(client, question);
  if (refusal && isLeaderless(refusal)) throw refusal;
}

const isWell = (client: Client, question: StatusProbe): Promise<boolean> =>
  assertAlive(client, question).then(
    () => true,
    () => false,
  );
