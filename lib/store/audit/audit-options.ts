import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { checkInteger } from '../../option-checks.js';

/** Options of the audit trail. */
export interface AuditOptions {
  /**
   * Prefix of the records. No definition may cover it or lie under it. Requires permission to write this prefix, and to
   * read it for `StoreService.audit`.
   */
  readonly prefix: string;
  /**
   * Days that a record is kept. etcd deletes it up to one day later.
   * @default 90
   */
  readonly keepDays?: number | undefined;
}

/** Validated options with all defaults. */
export interface ResolvedAudit {
  /** With a trailing slash. */
  readonly prefix: string;
  readonly keepDays: number;
}

/** @throws InvalidOptionsError naming the first invalid option */
export function resolveAudit(given: unknown): ResolvedAudit {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionsError(`"audit" must be an object such as { prefix: '/audit/my-app' }`);
  }
  const { prefix, keepDays = 90 } = given as Partial<Record<keyof AuditOptions, unknown>>;
  checkInteger('"audit.keepDays"', keepDays, { min: 1, max: MAX_DAYS });
  if (typeof prefix === 'string' && /[^/]/.test(prefix)) {
    return { prefix: prefix.endsWith('/') ? prefix : `${prefix}/`, keepDays: keepDays as number };
  }
  throw new InvalidOptionsError(
    '"audit.prefix" must be a prefix for the records of the audit trail only, such as "/audit/my-app"',
  );
}

/** A hundred years; etcd refuses a time to live of more than 9,000,000,000 seconds. */
const MAX_DAYS = 36_500;
