import type { ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { ConnectionError, ConnectionTimeoutError, type EtcdTriggerError } from '../etcd-trigger.errors.js';
import {
  CompactedError,
  type StampList,
  type WatchHeader,
  type WatchMessage,
  type WatchStream,
} from '../backend/list-watcher.js';
import type { EtcdConnection } from './connection/etcd-connection.js';
import {
  failureOfReason,
  grpcFailure,
  isStaleToken,
  isTransient,
  lacksToken,
  neverSent,
  translate,
} from './connection/etcd-errors.js';
import type { KeyInterner } from './codec/key-interner.js';
import { CONNECT_LIMIT_MS, definitionOf, type Member } from './connection/member.js';
import { requireLeader } from './connection/status-probe.js';
import { decodeWatchResponse, type WatchResponse } from './codec/watch-codec.js';

type Duplex = ClientDuplexStream<object, WatchResponse>;

export interface EtcdWatchOptions {
  /** For messages, as `watch prefix "/app/"`. */
  readonly what: string;
  /** Bytes of the cluster's key prefix. */
  readonly skip: number;
  readonly known: KeyInterner;
  /** etcdserverpb.WatchCreateRequest. */
  readonly request: object;
  readonly stampsAt: (
    member: Member,
    revision: number,
    linearizable: boolean,
    signal: AbortSignal,
  ) => Promise<StampList>;
}

/** One watch in a gRPC stream of its own: a watch that is denied, slow or cancelled touches no other. */
export class EtcdWatchStream implements WatchStream {
  readonly created: Promise<WatchHeader>;
  readonly ended: Promise<EtcdTriggerError>;
  readonly #connection: EtcdConnection;
  readonly #options: EtcdWatchOptions;
  /** Where it is opened; until then, where it would be. */
  #member: Member;
  readonly #abort = new AbortController();
  #call: Duplex | undefined;
  #metadata: Metadata | undefined;
  #watchId: string | undefined;
  #receive: ((message: WatchMessage) => void) | undefined;
  #accept!: (header: WatchHeader) => void;
  #refuse!: (reason: EtcdTriggerError) => void;
  #end!: (reason: EtcdTriggerError) => void;
  #discardConnection: () => void = () => undefined;
  #endLeaderWatch: () => void = () => undefined;
  #over = false;

  constructor(connection: EtcdConnection, options: EtcdWatchOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#member = connection.preferred;
    this.created = new Promise((resolve, reject) => {
      this.#accept = resolve;
      this.#refuse = reject;
    });
    this.created.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    void this.#open();
  }

  deliver(receive: (message: WatchMessage) => void): void {
    this.#receive = receive;
    this.resume();
  }

  stampsAt(revision: number, { linearizable }: { readonly linearizable: boolean }): Promise<StampList> {
    return this.#options.stampsAt(this.#member, revision, linearizable, this.#abort.signal);
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    if (!this.#over) this.#call?.resume();
  }

  cancel(): void {
    this.#finish(new ConnectionError(`${this.#options.what}: cancelled`));
  }

  /**
   * The member is chosen when there is a token, and only then its time begins: authenticating has found one that answers, while waiting for it is the fault
   * of none. Avoiding members for that would lead back to one without quorum just when the token is there.
   */
  async #open(): Promise<void> {
    try {
      const metadata = await this.#connection.metadata();
      if (!this.#over) await this.#ask(metadata);
    } catch (error) {
      this.#finish(translate(error, this.#options.what));
    }
  }

  async #ask(metadata: Metadata): Promise<void> {
    this.#member = this.#connection.preferred;
    const limit = setTimeout(() => {
      this.#avoidMember();
      this.#finish(new ConnectionTimeoutError(`${this.#options.what}: not accepted within ${CONNECT_LIMIT_MS} ms`));
    }, CONNECT_LIMIT_MS);
    this.created.then(
      () => {
        clearTimeout(limit);
      },
      () => {
        clearTimeout(limit);
      },
    );
    try {
      const client = await this.#member.connected('Watch', CONNECT_LIMIT_MS);
      if (this.#over) return;
      this.#metadata = requireLeader(metadata);
      this.#discardConnection = () => {
        this.#member.discard('Watch', client);
      };
      const { path, requestSerialize } = definitionOf(client, 'Watch');
      const { skip, known } = this.#options;
      const decode = (bytes: Buffer): WatchResponse => decodeWatchResponse(bytes, skip, known);
      const call: Duplex = client.makeBidiStreamRequest(path, requestSerialize, decode, metadata);
      this.#call = call;
      call.on('data', (response: WatchResponse) => {
        this.#onResponse(response);
      });
      call.on('error', (error) => {
        this.#fail(error);
      });
      call.on('end', () => {
        this.#finish(new ConnectionError(`${this.#options.what}: the member ended the stream`));
      });
      call.write({ create_request: this.#options.request });
    } catch (error) {
      this.#fail(error);
    }
  }

  #onResponse(response: WatchResponse): void {
    if (this.#over) return;
    if (response.canceled) {
      this.#onCanceled(response);
    } else if (response.created) {
      this.#watchId = response.watchId;
      this.#endLeaderWatch = this.#member.leaderMonitor.serves(() => {
        this.#avoidMember();
        this.#finish(new ConnectionError(`${this.#options.what}: the member has lost its quorum`));
      });
      // Nothing flows before what is known has been compared with this member.
      this.#call?.pause();
      this.#accept({ clusterId: response.clusterId, revision: response.revision });
    } else if (response.watchId === this.#watchId) {
      this.#receive?.(response);
    }
  }

  #onCanceled({ compactRevision, cancelReason }: WatchResponse): void {
    if (compactRevision !== 0) this.#finish(new CompactedError(this.#options.what, compactRevision));
    else this.#fail(failureOfReason(cancelReason || 'the member cancelled the watch'));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    const failure = grpcFailure(error);
    const metadata = this.#metadata;
    if (metadata && (isStaleToken(failure) || lacksToken(failure)) && this.#connection.renewToken(metadata)) {
      this.#finish(new ConnectionError(`${this.#options.what}: the token is no longer valid, authenticating again`));
      return;
    }
    if (isTransient(failure) || neverSent(failure)) this.#avoidMember();
    this.#finish(translate(error, this.#options.what));
  }

  /** Another member next, and another connection to this one. */
  #avoidMember(): void {
    if (this.#connection.closed) return;
    this.#connection.avoid(this.#member);
    this.#discardConnection();
  }

  #finish(reason: EtcdTriggerError): void {
    if (this.#over) return;
    this.#over = true;
    this.#endLeaderWatch();
    this.#abort.abort();
    this.#receive = undefined;
    this.#refuse(reason);
    this.#end(reason);
    // A cancelled stream still emits an error, which nobody must miss a listener for.
    this.#call?.cancel();
  }
}
