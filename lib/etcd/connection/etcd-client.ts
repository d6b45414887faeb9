import { Etcd3, type IOptions } from 'etcd3';
import { ConnectionError, EtcdTriggerError, InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger, checkKnown, type OptionNames } from '../../option-checks.js';
import { clientBehind } from './absent-client.js';
import { type Endpoint, formatHost, parseHosts } from './hosts.js';
import { resultOf } from './option-function.js';

export { Etcd3, type IOptions };

/** PEM data: the authorities that signed the server's certificate, and a client certificate where the server asks for one. */
export type EtcdCredentials = NonNullable<IOptions['credentials']>;

/** The user that the module authenticates as. */
export type EtcdUser = NonNullable<IOptions['auth']>;

/**
 * The options of etcd3, of which three take more forms. Of the others, the module's own connection uses
 * `grpcOptions['grpc.max_receive_message_length']`: the limit of one received message in bytes, 64 MiB by default, -1 for
 * none. All of them apply to the client that the application injects.
 */
export interface EtcdClientOptions extends Omit<IOptions, 'hosts' | 'credentials' | 'auth'> {
  /** `host:port`, `http://`, `https://` or `unix:` URLs: an array, or one string with commas. The default port is 2379. */
  readonly hosts: string | string[];
  /**
   * A function is called for each new connection, so that renewed certificates are used. It must settle within 4
   * seconds; otherwise the attempt fails with a ConnectionError.
   */
  readonly credentials?: EtcdCredentials | (() => EtcdCredentials | Promise<EtcdCredentials>) | undefined;
  /** A function is called for each authentication. It must settle within 4 seconds, like `credentials`. */
  readonly auth?: EtcdUser | (() => EtcdUser | Promise<EtcdUser>) | undefined;
}

export const CLIENT_OPTIONS: OptionNames<EtcdClientOptions> = {
  hosts: true,
  credentials: true,
  auth: true,
  dialTimeout: true,
  defaultCallOptions: true,
  faultHandling: true,
  grpcOptions: true,
};
const CREDENTIALS: OptionNames<EtcdCredentials> = { rootCertificate: true, privateKey: true, certChain: true };
const USER: OptionNames<EtcdUser> = { username: true, password: true, callOptions: true };

const MESSAGE_LIMIT = 'grpc.max_receive_message_length';
const UNLIMITED = -1;

/** The part of the client options that the module's own connection uses. */
export interface ConnectionSettings {
  readonly endpoints: readonly Endpoint[];
  readonly isSecure: boolean;
  /** The limit of one received message, or the default of the transport. */
  readonly maxMessageBytes: number | undefined;
  /** Rejects with a ConnectionError when the application's function fails or does not settle. */
  readonly credentials: () => Promise<EtcdCredentials | undefined>;
  /** `undefined` without a user. */
  readonly user: (() => Promise<EtcdUser>) | undefined;
}

/** The client that applications inject, and the settings of the module's own connection. */
export class ClientChoice {
  readonly settings: ConnectionSettings;
  readonly #given: Etcd3 | EtcdClientOptions;
  #built: Promise<Etcd3> | undefined;
  #isClosed = false;

  /** @throws InvalidOptionsError unless it is an `Etcd3`, or options that name hosts */
  constructor(given: unknown) {
    const options = given instanceof Etcd3 ? withDefaultHost(given['options']) : checkOptions(given);
    this.#given = given instanceof Etcd3 ? given : options;
    this.settings = settingsOf(options);
  }

  /**
   * The given `Etcd3`, or one that is built from the options with one call of their functions. If a function fails, the
   * module starts as `boot.policy` says; the client throws when it is used, until it could be built.
   */
  client(): Etcd3 | Promise<Etcd3> {
    const given = this.#given;
    if (given instanceof Etcd3) return given;
    this.#built ??= this.#build(given);
    return this.#built.catch((error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      return this.#lateClient(given, error);
    });
  }

  /** Closes the client, unless the application supplied it. */
  close(): void {
    this.#isClosed = true;
    this.#built?.then(
      (client) => {
        client.close();
      },
      () => undefined,
    );
  }

  /** A use of the client that fails begins the next attempt to build it, since the methods of etcd3 cannot wait. */
  #lateClient(options: EtcdClientOptions, failure: EtcdTriggerError): Etcd3 {
    let client: Etcd3 | undefined;
    let reason = failure;
    let isBuilding = false;
    const build = async (): Promise<void> => {
      if (isBuilding || this.#isClosed) return;
      isBuilding = true;
      this.#built = this.#build(options);
      try {
        client = await this.#built;
      } catch (error) {
        if (error instanceof EtcdTriggerError) reason = error;
      }
      isBuilding = false;
    };
    return clientBehind((name) => {
      if (client) return client;
      void build();
      throw new ConnectionError(
        `Etcd3.${name}: ${reason.message} when the client was built, which is tried again now`,
        {
          cause: reason,
        },
      );
    });
  }

  async #build(options: EtcdClientOptions): Promise<Etcd3> {
    const { endpoints, credentials, user } = this.settings;
    const [tls, auth] = await Promise.all([credentials(), user?.()]);
    const built: IOptions = { ...(options as IOptions), hosts: endpoints.map(formatHost) };
    if (tls) built.credentials = tls;
    if (auth) built.auth = auth;
    return new Etcd3(built);
  }
}

const withDefaultHost = (options: IOptions): EtcdClientOptions => ({
  ...options,
  // The type demands hosts, but etcd3 has a default.
  hosts: (options as Partial<IOptions>).hosts ?? '127.0.0.1:2379',
});

function settingsOf({ hosts, credentials, auth, grpcOptions }: EtcdClientOptions): ConnectionSettings {
  const endpoints = parseHosts(hosts);
  return {
    endpoints,
    isSecure: credentials !== undefined || endpoints.some((each) => 'isSecure' in each && each.isSecure),
    maxMessageBytes: messageLimit(grpcOptions),
    credentials: async () => credentials && checkCredentials(await resultOf('credentials', credentials)),
    user: auth && (async () => checkUser(await resultOf('auth', auth))),
  };
}

function messageLimit(grpcOptions: EtcdClientOptions['grpcOptions']): number | undefined {
  const limit: unknown = grpcOptions?.[MESSAGE_LIMIT];
  if (limit === undefined) return undefined;
  if (limit === UNLIMITED) return Infinity;
  checkInteger(`client.grpcOptions["${MESSAGE_LIMIT}"]`, limit, { min: 1 });
  return Number(limit);
}

function checkOptions(client: unknown): EtcdClientOptions {
  if (typeof client !== 'object' || client === null) {
    throw new InvalidOptionsError('client is missing: set it to { hosts: "host:2379" } or to an Etcd3');
  }
  checkKnown(client, CLIENT_OPTIONS, { path: 'client.' });
  const { credentials, auth } = client as Partial<EtcdClientOptions>;
  if (credentials !== undefined && typeof credentials !== 'function') checkCredentials(credentials);
  if (auth !== undefined && typeof auth !== 'function') checkUser(auth);
  return client as EtcdClientOptions;
}

function checkCredentials(credentials: unknown): EtcdCredentials {
  if (typeof credentials === 'object' && credentials !== null) {
    checkKnown(credentials, CREDENTIALS, { path: 'client.credentials.' });
    return credentials as EtcdCredentials;
  }
  throw new InvalidOptionsError('client.credentials must be { rootCertificate, privateKey?, certChain? }');
}

function checkUser(user: unknown): EtcdUser {
  const { username, password } = (user ?? {}) as Partial<Record<keyof EtcdUser, unknown>>;
  if (typeof user === 'object' && user !== null) checkKnown(user, USER, { path: 'client.auth.' });
  if (typeof username === 'string' && typeof password === 'string') return user as EtcdUser;
  throw new InvalidOptionsError('client.auth must have a username and a password');
}
