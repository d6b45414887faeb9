import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { JsonObject } from '../dto/json-object.js';
import { quoted } from '../foreign/foreign-text.js';
import { CliError } from './cli.error.js';
import { type FileFormat, formatDocument, formatOfFile, parseDocument } from './documents.js';

/**
 * Returns the file of a key, relative to the folder of its prefix. Each part between slashes is a folder or the name of
 * the file; characters that file names cannot have are escaped as in URLs.
 * @throws CliError for a key that has no file name
 */
export function fileOfKey(key: string, prefix: string, format: FileFormat): string {
  const parts = key.slice(prefix.length).split('/');
  if (parts.includes('')) {
    const hint =
      parts[0] === '' && !prefix.endsWith('/') ? `; end the prefix with a slash: ${quoted(`${prefix}/`)}` : '';
    throw new CliError(`the key ${quoted(key)} has an empty part, so it has no file name${hint}`);
  }
  const names = parts.map((part) => encodeURIComponent(part).replace(/[.*]/g, escapeDot));
  return `${join(...names)}.${format}`;
}

/** Only dots at both ends have a meaning for file systems; a star is a pattern for shells. */
function escapeDot(character: string, at: number, text: string): string {
  const isInside = character === '.' && at > 0 && at < text.length - 1;
  return isInside ? character : `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** @throws CliError for a file name that no key has */
export function keyOfFile(file: string, prefix: string): string {
  try {
    const names = file.replace(/\.(json|ya?ml)$/, '').split(sep);
    return prefix + names.map(decodeURIComponent).join('/');
  } catch {
    throw new CliError(`the file name ${quoted(file)} has an invalid escape sequence`);
  }
}

/** A document of the folder. */
export interface FolderDocument {
  readonly key: string;
  /** Path below the folder. */
  readonly file: string;
  readonly document: JsonObject;
}

/**
 * Reads all JSON and YAML files below a folder, sorted by key.
 * @throws CliError if the folder cannot be read, a file is no document, or two files have one key
 */
export function readFolder(directory: string, folder: string, prefix: string): FolderDocument[] {
  const root = resolve(directory, folder);
  const documents = new Map<string, FolderDocument>();
  for (const path of filesBelow(root, folder)) {
    const format = formatOfFile(path);
    if (!format) continue;
    const file = relative(root, path);
    const key = keyOfFile(file, prefix);
    const other = documents.get(key);
    if (other)
      throw new CliError(`the files ${quoted(other.file)} and ${quoted(file)} have the same key ${quoted(key)}`);
    documents.set(key, { key, file, document: parseDocument(readFileSync(path), format, quoted(file)) });
  }
  return [...documents.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Writes the document of a key, and returns its path below the folder.
 * @throws CliError if the file system does not take the name, or another key needs it
 */
export function writeToFolder(
  directory: string,
  folder: string,
  { key, prefix, document, format }: { key: string; prefix: string; document: unknown; format: FileFormat },
): string {
  const file = fileOfKey(key, prefix, format);
  const path = resolve(directory, folder, file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, formatDocument(document, format));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw NAME_ERRORS.has(code) ? new CliError(`its file cannot be written (${code})`) : error;
  }
  return file;
}

/** A name that is too long, and the same name for a file and a folder. */
const NAME_ERRORS: ReadonlySet<string> = new Set(['ENAMETOOLONG', 'EEXIST', 'ENOTDIR', 'EISDIR']);

function filesBelow(root: string, folder: string): string[] {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    throw new CliError(`the folder ${quoted(folder)} cannot be read`);
  }
}
