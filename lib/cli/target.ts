import type { LoggerService } from '@nestjs/common';
import { type EtcdTriggerOptions, resolveOptions, type ResolvedOptions } from '../module/etcd-trigger.options.js';
import { type ApplicationDefinitions, readApplication } from './application.js';
import { clientOf, type ConnectionFlags, readConfigFile } from './connection.js';
import type { Terminal } from './terminal.js';

/** The cluster that a command works with, and the application, if one is named. */
export interface Target {
  readonly application: ApplicationDefinitions | undefined;
  readonly client: EtcdTriggerOptions['client'];
  readonly options: ResolvedOptions;
}

/**
 * Reads the configuration file, the application, the environment and the flags, without a connection.
 * @throws CliError, InvalidOptionsError
 */
export async function targetOf(flags: ConnectionFlags, terminal: Terminal): Promise<Target> {
  const config = await readConfigFile(terminal.directory);
  const app = flags.app ?? config.app;
  const application =
    app === undefined ? undefined : await readApplication(app, terminal.directory, flags.cluster ?? config.cluster);
  const given = application?.options;
  const client = clientOf(flags, terminal, config, given);
  const audit = flags.audit === undefined ? (config.audit ?? given?.audit) : { ...config.audit, prefix: flags.audit };
  const coordination =
    flags.coordination === undefined ? (config.coordination ?? given?.coordination) : { prefix: flags.coordination };
  const options = resolveOptions({
    client,
    keyPrefix: flags.keyPrefix ?? terminal.env.ETCD_KEY_PREFIX ?? config.keyPrefix ?? given?.keyPrefix ?? '',
    logger: SILENT,
    serviceName: 'etcd-trigger-cli',
    ...(given?.limits && { limits: given.limits }),
    ...(given?.outcomes && { outcomes: given.outcomes }),
    ...(audit && { audit }),
    ...(coordination && { coordination }),
  });
  return { application, client, options };
}

/** Commands report problems themselves. */
const SILENT: LoggerService = {
  log: () => undefined,
  error: () => undefined,
  warn: () => undefined,
};
