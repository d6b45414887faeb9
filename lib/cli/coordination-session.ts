import { OPEN_BACKEND } from '../backend/cluster-backend.js';
import { CoordinationKeys } from '../coordination/coordination-keys.js';
import { CoordinationOverview } from '../coordination/coordination-overview.js';
import { GroupAdministration } from '../coordination/groups/group-administration.js';
import { backendSourceOf } from '../etcd/etcd-backend.js';
import type { ApplicationDefinitions } from './application.js';
import { CliError } from './cli.error.js';
import type { ConnectionFlags } from './connection.js';
import { targetOf } from './target.js';
import type { Terminal } from './terminal.js';

/** The shared work of the instances of an application, as etcd stores it. */
export interface CoordinationSession {
  readonly overview: CoordinationOverview;
  readonly groups: GroupAdministration;
  /** The cron jobs of the application; `undefined` without one. */
  readonly crons: ApplicationDefinitions['crons'] | undefined;
}

/**
 * Connects to etcd and runs the command, without an instance: it is a candidate for nothing, and has no lease.
 * @throws CliError if nothing names the prefix of the coordination, and the errors of the connection and of the command
 */
export async function inCoordination<T>(
  flags: ConnectionFlags,
  terminal: Terminal,
  run: (session: CoordinationSession) => Promise<T>,
): Promise<T> {
  const { application, client, options } = await targetOf(flags, terminal);
  const { coordination, keyPrefix, requestTimeoutMs, limits } = options;
  if (!coordination) throw missing(application);
  const backend = backendSourceOf(client)[OPEN_BACKEND]({
    keyPrefix,
    requestTimeoutMs,
    limits,
    activity: () => ({ backend, ranges: [], busy: [] }),
  });
  const { listWatcher, keyValue } = backend;
  const keys = new CoordinationKeys(coordination.prefix);
  let writes = 0;
  const stamp = (): { by: string; at: number } => {
    writes += 1;
    return { by: `${RUN}/${writes}`, at: Date.now() };
  };
  const limit = AbortSignal.timeout(LIST_LIMIT_MS);
  const signal = AbortSignal.any([terminal.interrupted, limit]);
  try {
    return await run({
      overview: new CoordinationOverview({ listWatcher, keys, signal }),
      groups: new GroupAdministration({ keyValue, listWatcher, keys, limits, stamp }),
      crons: application?.crons,
    });
  } finally {
    backend.close();
  }
}

/** Marks the cursors that this process has written. */
const RUN = `etcd-trigger-cli/${crypto.randomUUID()}`;
const LIST_LIMIT_MS = 60_000;

function missing(application: ApplicationDefinitions | undefined): CliError {
  const advice = 'set --coordination to its prefix';
  if (!application) return new CliError(`no coordination is named: ${advice}, or --app`);
  return new CliError(
    application.options
      ? `the application has no option "coordination": its instances share no work, or ${advice}`
      : `the options of the application come from a factory, which is not called: ${advice}, or "coordination" in etcd-trigger.config.js`,
  );
}
