/** What every error of this library carries: a `code` for programs, a sentence for people, and where known the key and the revision. */
export interface ErrorDetails {
  /** The key it is about, without the cluster's `keyPrefix`. */
  readonly key?: string | undefined;
  /** The etcd revision it is about. */
  readonly revision?: number | undefined;
  readonly cause?: unknown;
}

/** The root of the family: `error instanceof EtcdTriggerError` tells this library's errors from all others. No message ever holds a value. */
export abstract class EtcdTriggerError extends Error {
  /** Stable, for programs. */
  abstract readonly code: string;
  readonly key?: string;
  readonly revision?: number;

  constructor(message: string, { key, revision, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    if (key !== undefined) this.key = key;
    if (revision !== undefined) this.revision = revision;
  }
}

/** etcd could not be reached, or refused the connection. */
export class ConnectionError extends EtcdTriggerError {
  readonly code: string = 'ETCD_CONNECTION';
}

/** The module was closed; nothing was sent. */
export class ConnectionClosedError extends ConnectionError {
  override readonly code = 'ETCD_CONNECTION_CLOSED';
}

/** etcd did not answer within the limit, and the request certainly changed nothing. */
export class ConnectionTimeoutError extends ConnectionError {
  override readonly code = 'ETCD_CONNECTION_TIMEOUT';
}

/** User name or password were refused, or the server wants some and none were given. */
export class AuthenticationError extends EtcdTriggerError {
  readonly code = 'ETCD_AUTHENTICATION';
}

/** The user may not do this; grant its role the permission on the key or range that the message names. */
export class PermissionDeniedError extends EtcdTriggerError {
  readonly code = 'ETCD_PERMISSION_DENIED';
}

/** An option, target, definition or argument that cannot work; the message names it and what to do. */
export class InvalidOptionsError extends EtcdTriggerError {
  readonly code = 'ETCD_INVALID_OPTIONS';
}

/** `WatcherService.get` of a key that etcd does not hold. */
export class KeyNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_KEY_NOT_FOUND';
}

/** `StoreService.getOrThrow` of a key that has no valid configuration. */
export class ConfigNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_CONFIG_NOT_FOUND';
}

/** One property that is not what its class asks for. Names only: neither the value nor class-validator's message, which may quote it. */
export interface ConfigViolation {
  /** Where, as `pool.hosts[0].port`; `''` is the document itself. */
  readonly path: string;
  /** Names of the constraints that failed, as `['isInt', 'min']`. */
  readonly constraints: string[];
}

/** A value that is not a valid document of its class. It has no `cause`: parsers and validators quote what they refuse. */
export class InvalidConfigError extends EtcdTriggerError {
  readonly code = 'ETCD_INVALID_CONFIG';

  constructor(
    subject: string,
    readonly violations: readonly ConfigViolation[],
    details: Omit<ErrorDetails, 'cause'> = {},
  ) {
    super(`${subject} is not valid: ${describeViolations(violations)}`, details);
  }
}

/** One thing that kept the application from starting. */
export interface BootProblem {
  readonly cluster: string;
  /** The key, prefix or handler it is about; `undefined` when it concerns the whole cluster. */
  readonly subject: string | undefined;
  readonly reason: 'unreachable' | 'timeout' | 'denied' | 'missing' | 'invalid' | 'failed';
  readonly message: string;
  readonly error?: EtcdTriggerError;
}

/** The application cannot start; `problems` lists everything that is missing, invalid or unreachable. */
export class BootError extends EtcdTriggerError {
  readonly code = 'ETCD_BOOT';

  constructor(readonly problems: readonly BootProblem[]) {
    const [first] = problems;
    super(
      problems.length === 1 && first
        ? `etcd configuration cannot be loaded: ${first.message}`
        : `etcd configuration cannot be loaded, ${problems.length} problems:\n${problems.map((problem) => `  - ${problem.message}`).join('\n')}`,
      { cause: problems.find((problem) => problem.error)?.error },
    );
  }
}

/** The server refused a write; nothing was changed. */
export class WriteError extends EtcdTriggerError {
  readonly code: string = 'ETCD_WRITE';
}

/** The key is not at the revision (or not absent) as the write demanded; nothing was changed. */
export class RevisionConflictError extends WriteError {
  override readonly code = 'ETCD_REVISION_CONFLICT';
  readonly #current: () => unknown;

  constructor(key: string, expected: string, found: number, current: () => unknown) {
    super(`"${key}" was to be ${expected}, but ${found === 0 ? 'does not exist' : `is at revision ${found}`}`, {
      key,
      revision: found,
    });
    this.#current = current;
  }

  /**
   * The value that stands in the way, an instance of its class; `undefined` when the key is absent or holds what its class refuses. A method, so that
   * neither inspection nor JSON shows it. `type`: the class that is expected; an instance of another class is `undefined`.
   */
  current(): unknown;
  current<T>(type: abstract new (...args: never[]) => T): T | undefined;
  current(type?: abstract new (...args: never[]) => unknown): unknown {
    const value = this.#current();
    return !type || value instanceof type ? value : undefined;
  }
}

/** The write was sent, its answer was lost, and nothing proves that it was or was not applied; it may still be. It was not sent again unsafely. */
export class UnknownOutcomeError extends WriteError {
  override readonly code = 'ETCD_UNKNOWN_OUTCOME';
}

/** A call of a handler took longer than its `timeoutMs`; also the reason of its signal. */
export class HandlerTimeoutError extends EtcdTriggerError {
  readonly code = 'ETCD_HANDLER_TIMEOUT';
}

/** `StoreService.rollback` to a revision that etcd does not hold: compacted away, not written yet, or of a time when the key did not exist. */
export class RevisionUnavailableError extends EtcdTriggerError {
  readonly code = 'ETCD_REVISION_UNAVAILABLE';
}

/** A watch cannot begin or go on as asked. */
export class WatchError extends EtcdTriggerError {
  readonly code = 'ETCD_WATCH';
}

function describeViolations(violations: readonly ConfigViolation[]): string {
  return violations.map(({ path, constraints }) => `${path || '(document)'} [${constraints.join(', ')}]`).join('; ');
}
