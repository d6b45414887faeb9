import type * as Yaml from 'yaml';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { loadPackage } from '../../foreign/optional-package.js';
import type { JsonObject } from '../json-object.js';
import { propertyPath } from '../property-path.js';
import type { DocumentBytes } from './document-bytes.js';
import type { DecodedDocument, DocumentFormat } from './document-format.js';
import { rejected, textOf } from './document-text.js';
import { plainCopy } from './plain-copy.js';
import { MAX_ALIASES, MAX_YAML_BYTES, yamlTokens } from './yaml-limits.js';

/**
 * One document of YAML 1.2 with the core schema, which has the value types of JSON. Anchors and a limited number of
 * aliases are supported. Tags, merge keys, non-scalar keys and duplicate names are rejected.
 */
export class YamlFormat implements DocumentFormat {
  readonly #yaml: typeof Yaml;

  /** @throws InvalidOptionsError if the package `yaml` is not installed */
  constructor(load: (name: string) => unknown = loadPackage) {
    try {
      this.#yaml = load('yaml') as typeof Yaml;
    } catch {
      throw new InvalidOptionsError(`the codec 'yaml' needs the package "yaml": npm install yaml`);
    }
  }

  read(bytes: DocumentBytes): DecodedDocument {
    if (bytes.length > MAX_YAML_BYTES) return rejected('size');
    const text = textOf(bytes);
    if (text === undefined) return rejected('utf8');
    try {
      const parsed = yamlTokens(this.#yaml, text);
      if (!parsed.ok) return parsed;
      const { Composer } = this.#yaml;
      // The composer continues after an error, so a broken document has many.
      const [document, ...others] = withoutStackTraces(() => [
        ...new Composer(OPTIONS).compose(parsed.tokens, true, text.length),
      ]);
      if (document === undefined || others.length > 0 || document.errors.length > 0) return rejected('yaml');
      // The parser warns only about unknown tags.
      if (document.warnings.length > 0) return rejected('tag');
      return this.#rejectKeys(document) ?? plainCopy(document.toJS({ maxAliasCount: MAX_ALIASES }), 'bigint');
    } catch (error) {
      return rejected(error instanceof ReferenceError ? 'alias' : 'yaml');
    }
  }

  write(document: JsonObject): Buffer {
    const { Document, visit } = this.#yaml;
    const written = new Document(document, { ...OPTIONS, aliasDuplicateObjects: false });
    visit(written, {
      Scalar: (_, scalar) => {
        // Integers outside of the safe range have an exponent, as in JSON.
        if (Number.isInteger(scalar.value) && !Number.isSafeInteger(scalar.value)) scalar.format = 'EXP';
      },
    });
    return Buffer.from(written.toString({ lineWidth: 0 }));
  }

  #rejectKeys(document: Yaml.Document.Parsed): DecodedDocument | undefined {
    const { isScalar, visit } = this.#yaml;
    let rejection: DecodedDocument | undefined;
    visit(document, {
      Map: (_, { items }) => {
        const names = new Set<string>();
        for (const { key } of items) {
          const name = isScalar(key) ? String(key.value) : '';
          if (name === '<<') rejection ??= rejected('mergeKey', propertyPath('', name));
          else if (names.has(name)) rejection ??= rejected('duplicateKey');
          names.add(name);
        }
      },
    });
    return rejection;
  }
}

/** An error is created several times faster without its stack trace. */
function withoutStackTraces<T>(run: () => T): T {
  const { stackTraceLimit } = Error;
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return run();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

const OPTIONS = {
  version: '1.2',
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  // Numbers would be rounded without notice.
  intAsBigInt: true,
  // The check of the parser takes quadratic time; #rejectKeys replaces it.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'error',
} as const;
