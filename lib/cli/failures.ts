import {
  AuthenticationError,
  BootError,
  ConnectionError,
  EtcdTriggerError,
  InvalidConfigError,
  InvalidOptionsError,
  PermissionDeniedError,
} from '../etcd-trigger.errors.js';
import { quoted } from '../foreign/foreign-text.js';
import { describeThrown } from '../foreign/foreign-error.js';
import { CliError } from './cli.error.js';
import { ExitCode } from './terminal.js';
import { describeViolations } from './violations.js';

/** The message of an error for the user; of a foreign error, only its class and place, since it may quote a value. */
export function messageOf(error: unknown): string {
  if (error instanceof InvalidConfigError) {
    const value = error.key === undefined ? 'the value' : `the value for ${quoted(error.key)}`;
    return `${value} is invalid: ${describeViolations(error.violations)}`;
  }
  if (error instanceof BootError) return problemsOf(error);
  return error instanceof CliError || error instanceof EtcdTriggerError ? error.message : describeThrown(error);
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof BootError) {
    const isEtcd = error.problems.some(({ reason }) => ['unreachable', 'timeout', 'denied'].includes(reason));
    return isEtcd ? ExitCode.ETCD : ExitCode.PROBLEM;
  }
  const isEtcd = [ConnectionError, AuthenticationError, PermissionDeniedError].some((type) => error instanceof type);
  if (isEtcd) return ExitCode.ETCD;
  return error instanceof InvalidOptionsError ? ExitCode.USAGE : ExitCode.PROBLEM;
}

/** No application is started, so the message of the error itself would mislead. */
function problemsOf({ problems }: BootError): string {
  const [first] = problems;
  if (!first) return 'the configuration cannot be read';
  return problems.length === 1 ? first.message : `${first.message} (and ${problems.length - 1} more)`;
}
