import { quoted } from '../foreign/foreign-text.js';
import { describeTarget, type ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';
import { CliError } from './cli.error.js';
import type { Session } from './session.js';

type Declared = Pick<Session, 'declared'>;

/**
 * Checks that a command which writes a document without `--layer` does not need it.
 * @throws CliError if the key is merged from other keys, or is only a layer
 */
export function checkNeedsNoLayer({ declared }: Declared, key: string): void {
  const definition = declared?.governing(key);
  if (definition && !hasDocument(definition)) {
    const layers = (definition.layers ?? []).map(quoted).join(', ');
    throw new CliError(`${describeTarget(definition.target)}: choose the layer to write by --layer; it has ${layers}`);
  }
  const hint = definition ? '' : declared?.layerHint(key);
  if (hint) throw new CliError(`no definition covers ${quoted(key)}${hint}, and --layer ${quoted(key)}`);
}

/**
 * Checks that the application reads the document of a file as that of its key.
 * @throws CliError if the key is merged from other keys, or is only a layer
 */
export function checkFile(
  { declared }: Declared,
  { key, file }: { readonly key: string; readonly file: string },
): void {
  const definition = declared?.governing(key);
  const [owner] = declared?.withLayer(key) ?? [];
  const advice = 'write it by "set --layer" instead of a file';
  if (definition && !hasDocument(definition)) {
    throw new CliError(`${quoted(file)}: ${quoted(key)} is none of its own layers; choose one, and ${advice}`);
  }
  if (!definition && owner) {
    throw new CliError(`${quoted(file)}: ${quoted(key)} is a layer of ${describeTarget(owner.target)}; ${advice}`);
  }
}

/** True if applications read the document of the definition's key, or of the keys of its prefix. */
export const hasDocument = ({ layers, name }: ResolvedConfigDefinition): boolean => !layers || layers.includes(name);
