import { JSON_FORMAT } from '../dto/formats/json-format.js';
import { YamlFormat } from '../dto/formats/yaml-format.js';
import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { CliError } from './cli.error.js';
import { describeViolations } from './violations.js';
import { ExitCode } from './terminal.js';

/** A format of documents in files and on standard input. */
export type FileFormat = 'json' | 'yaml';

/** The format of a file name; `undefined` for other files. */
export function formatOfFile(name: string): FileFormat | undefined {
  if (name.endsWith('.json')) return 'json';
  return name.endsWith('.yaml') || name.endsWith('.yml') ? 'yaml' : undefined;
}

/**
 * Parses a document. JSON is YAML, too, but its errors are more precise.
 * @param name where the text comes from, for messages, which never contain the text
 * @throws CliError if it is no object
 */
export function parseDocument(text: Buffer, format: FileFormat, name: string): JsonObject {
  const decoded = (format === 'json' ? JSON_FORMAT : new YamlFormat()).read(text);
  if (!decoded.ok) {
    throw new CliError(`${name} is no document: ${describeViolations(decoded.violations)}`, ExitCode.PROBLEM);
  }
  if (isJsonObject(decoded.value)) return decoded.value;
  throw new CliError(`${name} is no object`, ExitCode.PROBLEM);
}

/** Returns the text of a document, with a line break at its end. */
export const formatDocument = (document: unknown, format: FileFormat): string =>
  format === 'json'
    ? `${JSON.stringify(document, undefined, 2)}\n`
    : new YamlFormat().write(document as JsonObject).toString();
