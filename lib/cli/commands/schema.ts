import { definitionSchemas } from '../../module/definition-schema.js';
import { ConfigDefinitions } from '../../store/definitions/config-definitions.js';
import type { ApplicationDefinitions } from '../application.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { pretty } from './values.js';

/** Prints the JSON Schema of every definition, for editors. */
export function schema({ cluster, definitions }: ApplicationDefinitions, terminal: Terminal): ExitCode {
  terminal.out(pretty(definitionSchemas(cluster, new ConfigDefinitions(definitions).all)));
  return ExitCode.OK;
}
