import { inspect, type InspectOptionsStylized } from 'node:util';
import { inspectError } from './etcd-trigger.inspect.js';
import { printable, quoted } from './foreign/foreign-text.js';
import { type ConfigOrigin, originText } from './config-origin.js';

export type { ConfigOrigin } from './config-origin.js';

/** Optional details of an `EtcdTriggerError`. */
export interface ErrorDetails {
  /** The affected key, without the cluster's `keyPrefix`. */
  readonly key?: string | undefined;
  /** The affected etcd revision. */
  readonly revision?: number | undefined;
  readonly cause?: unknown;
}

/**
 * The base class of all errors of this library. `code` identifies the error for programs; the message is for people and
 * never contains a value from etcd.
 */
export abstract class EtcdTriggerError extends Error {
  /** Stable across versions. */
  abstract readonly code: string;
  // Without `declare`, every error would have these properties, and print them as undefined.
  declare readonly key?: string;
  declare readonly revision?: number;

  constructor(message: string, { key, revision, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    if (key !== undefined) this.key = key;
    if (revision !== undefined) this.revision = revision;
  }

  /**
   * Also true for errors of another copy of this package in the process.
   * @internal
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    const family: unknown = Object.hasOwn(this, FAMILY) ? Reflect.get(this, FAMILY) : undefined;
    return family !== undefined && familiesOf(value).includes(family);
  }

  /** @internal */
  [inspect.custom](_depth: number, options: InspectOptionsStylized, print: typeof inspect): string {
    return inspectError(this, options, print);
  }
}

/** etcd is unreachable, or rejected the connection. */
export class ConnectionError extends EtcdTriggerError {
  readonly code: string = 'ETCD_CONNECTION';
}

/** The module is closed. The request was not sent. */
export class ConnectionClosedError extends ConnectionError {
  override readonly code = 'ETCD_CONNECTION_CLOSED';
}

/** etcd did not answer within the time limit. The request changed nothing. */
export class ConnectionTimeoutError extends ConnectionError {
  override readonly code = 'ETCD_CONNECTION_TIMEOUT';
}

/** etcd rejected the user name or password, or requires credentials and none are configured. */
export class AuthenticationError extends EtcdTriggerError {
  readonly code = 'ETCD_AUTHENTICATION';
}

/** The user lacks a permission. Grant it to the user's role, for the key or range that the message names. */
export class PermissionDeniedError extends EtcdTriggerError {
  readonly code = 'ETCD_PERMISSION_DENIED';
}

/** An option, target, definition or argument is invalid. The message names it and the fix. */
export class InvalidOptionsError extends EtcdTriggerError {
  readonly code = 'ETCD_INVALID_OPTIONS';
}

/** `WatcherService.get` found no such key in etcd. */
export class KeyNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_KEY_NOT_FOUND';
}

/** `getOrThrow` found no valid configuration under the key, or the state of a join is not known yet. */
export class ConfigNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_CONFIG_NOT_FOUND';
}

/**
 * One property that violates the constraints of its class or schema. Contains names only: neither the value nor the
 * message of a validator, which may quote the value.
 */
export interface ConfigViolation {
  /** The path of the property, such as `pool.hosts[0].port`; `''` is the document itself. */
  readonly path: string;
  /** The names of the violated constraints, such as `['isInt', 'min']`; for a schema, the codes of its library. */
  readonly constraints: string[];
  /** The part that the property comes from, in a configuration with layers or an override, if it is a single one. */
  readonly origin?: ConfigOrigin;
}

/**
 * A value failed validation against its class. Has no `cause`, because errors of parsers and validators quote values.
 */
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

/** One reason why the application could not start. */
export interface BootProblem {
  readonly cluster: string;
  /** The affected key, prefix or handler; `undefined` if the whole cluster is affected. */
  readonly subject: string | undefined;
  readonly reason: 'unreachable' | 'timeout' | 'denied' | 'missing' | 'invalid' | 'failed';
  readonly message: string;
  readonly error?: EtcdTriggerError;
}

/** The application cannot start. `problems` lists everything that is missing, invalid or unreachable. */
export class BootError extends EtcdTriggerError {
  readonly code = 'ETCD_BOOT';

  readonly problems: readonly BootProblem[];

  constructor(problems: readonly BootProblem[]) {
    const [first] = problems;
    super(
      problems.length === 1 && first
        ? `the application cannot start: ${first.message}`
        : `the application cannot start, ${problems.length} problems:\n${describeProblems(problems)}`,
      { cause: problems.find((problem) => problem.error)?.error },
    );
    this.problems = problems.map(withHiddenError);
  }
}

/** etcd rejected a write. Nothing was changed. */
export class WriteError extends EtcdTriggerError {
  readonly code: string = 'ETCD_WRITE';
}

/** The key is not at the revision, or not absent, as the write required. Nothing was changed. */
export class RevisionConflictError extends WriteError {
  override readonly code = 'ETCD_REVISION_CONFLICT';
  readonly #current: () => unknown;
  readonly #type: unknown;

  constructor(key: string, expected: string, found: number, current: () => unknown, type?: unknown) {
    super(
      `${quoted(key)} was expected to be ${expected}, but ${found === 0 ? 'does not exist' : `is at revision ${found}`}`,
      {
        key,
        revision: found,
      },
    );
    this.#current = current;
    this.#type = type;
  }

  /**
   * Returns the current value as an instance of its class, or as the output of its schema; `undefined` if the key is
   * absent, its value is invalid, or `type` is another class or schema. This is a method so that neither `util.inspect`
   * nor JSON shows the value.
   */
  current(): unknown;
  current<T>(
    type:
      | (abstract new (...args: never[]) => T)
      | { readonly '~standard': { readonly types?: { readonly output: T } | undefined } },
  ): T | undefined;
  current(type?: object): unknown {
    const value = this.#current();
    if (!type || type === this.#type) return value;
    const isInstance = typeof type === 'function' && !('~standard' in type) && value instanceof type;
    return isInstance ? value : undefined;
  }
}

/**
 * The write was sent, but its response was lost and nothing proves whether it was applied. It may still be applied. It
 * was not retried, because that would be unsafe.
 */
export class UnknownOutcomeError extends WriteError {
  override readonly code = 'ETCD_UNKNOWN_OUTCOME';
}

/**
 * The fence of the write is lost: this instance no longer owns what the fence stands for. The write was not applied and
 * never will be. Thrown only if etcd has answered; if the answer was lost, see `UnknownOutcomeError`.
 */
export class FenceLostError extends WriteError {
  override readonly code = 'ETCD_FENCE_LOST';
}

/** A handler group cannot be changed now, because instances are using it. Nothing was changed. */
export class GroupBusyError extends WriteError {
  override readonly code = 'ETCD_GROUP_BUSY';
}

/** Nobody released the lock within `waitMs`, or etcd did not answer within it. This instance no longer waits for it. */
export class LockTimeoutError extends EtcdTriggerError {
  readonly code = 'ETCD_LOCK_TIMEOUT';
}

/**
 * The lock was lost before the function that needed it had ended: another instance may have had the lock meanwhile.
 * `cause` is the error of the function, if it rejected.
 */
export class LockLostError extends EtcdTriggerError {
  readonly code = 'ETCD_LOCK_LOST';
}

/** A handler call exceeded its `timeoutMs`. Also the abort reason of the call's signal. */
export class HandlerTimeoutError extends EtcdTriggerError {
  readonly code = 'ETCD_HANDLER_TIMEOUT';
}

/**
 * `StoreService.rollback` names a revision that etcd does not have: it is compacted or in the future, or the key did
 * not exist at that revision.
 */
export class RevisionUnavailableError extends EtcdTriggerError {
  readonly code = 'ETCD_REVISION_UNAVAILABLE';
}

/** A watch cannot start or continue with its options. */
export class WatchError extends EtcdTriggerError {
  readonly code = 'ETCD_WATCH';
}

/** The same symbol in every copy of this package. */
const FAMILY = Symbol.for('nestjs-etcd-trigger:error-family');

function familiesOf(value: unknown): unknown[] {
  const families: unknown[] = [];
  for (let type: unknown = value; typeof type === 'object' && type !== null; type = Object.getPrototypeOf(type)) {
    families.push((type.constructor as { readonly [FAMILY]?: unknown } | undefined)?.[FAMILY]);
  }
  return families.filter((family) => family !== undefined);
}

/** Node prints an uncaught error with everything that is enumerable; the message of a problem contains its error. */
function withHiddenError({ error, ...problem }: BootProblem): BootProblem {
  return error ? Object.defineProperty(problem, 'error', { value: error }) : problem;
}
/** Numbers of violations and problems that a message lists. */
const MAX_VIOLATIONS = 20;
const MAX_PROBLEMS = 100;

function describeViolations(violations: readonly ConfigViolation[]): string {
  return violations
    .slice(0, MAX_VIOLATIONS)
    .map(
      ({ path, constraints, origin }) =>
        `${printable(path) || '(document)'}${originText(origin)} [${constraints.map(printable).join(', ')}]`,
    )
    .concat(furtherThan(MAX_VIOLATIONS, violations))
    .join('; ');
}

const describeProblems = (problems: readonly BootProblem[]): string =>
  problems
    .slice(0, MAX_PROBLEMS)
    .map(({ message }) => message)
    .concat(furtherThan(MAX_PROBLEMS, problems))
    .map((line) => `  - ${line}`)
    .join('\n');

const furtherThan = (shown: number, all: readonly unknown[]): string[] =>
  all.length > shown ? [`and ${all.length - shown} more`] : [];

// The names are property names, which minifiers keep.
for (const [family, type] of Object.entries({
  EtcdTriggerError,
  ConnectionError,
  ConnectionClosedError,
  ConnectionTimeoutError,
  AuthenticationError,
  PermissionDeniedError,
  InvalidOptionsError,
  KeyNotFoundError,
  ConfigNotFoundError,
  InvalidConfigError,
  BootError,
  WriteError,
  RevisionConflictError,
  UnknownOutcomeError,
  FenceLostError,
  GroupBusyError,
  LockLostError,
  LockTimeoutError,
  HandlerTimeoutError,
  RevisionUnavailableError,
  WatchError,
})) {
  Object.defineProperty(type, FAMILY, { value: family });
}
