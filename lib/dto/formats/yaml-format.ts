import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import type { JsonObject } from '../json-object.js';
import { propertyPath } from '../property-path.js';
import type { DocumentBytes } from './document-bytes.js';
import type { DecodedDocument, DocumentFormat } from './document-format.js';
import { failed, textOf } from './document-text.js';
import { plainCopy } from './plain-copy.js';

/** Reading YAML takes some 2 us a byte, and blocks the process meanwhile. */
const MAX_YAML_BYTES = 128 * 1024;

/**
 * One document of YAML 1.2, core schema: JSON's kinds of values. Anchors and aliases are fine within bounds; tags, merge keys, keys that are no
 * scalars and names given twice are refused.
 */
export class YamlFormat implements DocumentFormat {
  readonly #yaml: typeof Yaml;

  /** @throws InvalidOptionsError without the package `yaml` */
  constructor(load: (name: string) => unknown = createRequire(import.meta.url)) {
    try {
      this.#yaml = load('yaml') as typeof Yaml;
    } catch {
      throw new InvalidOptionsError(`the codec 'yaml' needs the package "yaml": npm install yaml`);
    }
  }

  read(bytes: DocumentBytes): DecodedDocument {
    if (bytes.length > MAX_YAML_BYTES) return failed('size');
    const text = textOf(bytes);
    if (text === undefined) return failed('utf8');
    try {
      const document = this.#yaml.parseDocument(text, OPTIONS);
      if (document.errors.length > 0) return failed('yaml');
      // The only warnings there are: tags that the schema does not know.
      if (document.warnings.length > 0) return failed('tag');
      return this.#faultOf(document) ?? plainCopy(document.toJS({ maxAliasCount: MAX_ALIASES }));
    } catch (error) {
      return failed(error instanceof ReferenceError ? 'alias' : 'yaml');
    }
  }

  write(document: JsonObject): Buffer {
    return Buffer.from(this.#yaml.stringify(document, { ...OPTIONS, aliasDuplicateObjects: false, lineWidth: 0 }));
  }

  #faultOf(document: Yaml.Document.Parsed): DecodedDocument | undefined {
    const { isScalar, visit } = this.#yaml;
    let fault: DecodedDocument | undefined;
    visit(document, {
      Map: (_, { items }) => {
        const names = new Set<string>();
        for (const { key } of items) {
          const name = isScalar(key) ? String(key.value) : '';
          if (name === '<<') fault ??= failed('mergeKey', propertyPath('', name));
          else if (names.has(name)) fault ??= failed('duplicateKey');
          names.add(name);
        }
      },
    });
    return fault;
  }
}

/** How much aliases may make of a document. */
const MAX_ALIASES = 100;

const OPTIONS = {
  version: '1.2',
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  // Its own search for them takes quadratic time.
  uniqueKeys: false,
  prettyErrors: false,
  // 'silent' would keep quiet about a second document.
  logLevel: 'error',
} as const;
