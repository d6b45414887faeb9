import {
  type ConfigOrigin,
  type ConfigViolation,
  InvalidConfigError,
  InvalidOptionsError,
} from '../../etcd-trigger.errors.js';
import { describeThrown } from '../../foreign/foreign-error.js';
import { ignoreRejection, isThenable } from '../../foreign/thenable.js';
import { EnvOverride, type EnvSettings } from '../../dto/env/env-override.js';
import type { DocumentPart } from '../../dto/document-merge.js';
import type { ParseResult } from '../../dto/dto-parser.js';
import type { DtoSerializer } from '../../dto/dto-serializer.js';
import { formatOf } from '../../dto/formats/codecs.js';
import type { DocumentFormat } from '../../dto/formats/document-format.js';
import { readDocument } from '../../dto/formats/document-reader.js';
import { JSON_FORMAT } from '../../dto/formats/json-format.js';
import { isJsonObject, type JsonObject } from '../../dto/json-object.js';
import type { ValueParser } from '../../dto/value-parser.js';
import { describeTarget, type ResolvedConfigDefinition } from '../definitions/resolved-definition.js';
import { type LayerDocument, MergedLayers } from './merged-layers.js';

/** A merge with the value that readers see of it; or violations, which contain names but never values. */
export type ParsedLayers =
  | (ParseResult<object> & { readonly ok: true; readonly merged: MergedLayers })
  | {
      readonly ok: false;
      readonly violations: readonly ConfigViolation[];
      /** Set if a reference could not be resolved, so that the same documents may be valid later. */
      readonly unresolved?: MergedLayers;
    };

/** Merges the default, the layers and the override of one definition, and validates the result as one value. */
export class LayerMerger {
  /** Format of the layers in etcd. */
  readonly format: DocumentFormat;
  readonly #definition: ResolvedConfigDefinition;
  readonly #parser: ValueParser<object>;
  readonly #serializer: DtoSerializer<object>;
  #default: readonly DocumentPart<ConfigOrigin>[] = [];
  #override: readonly DocumentPart<ConfigOrigin>[] = [];
  #environment: EnvSettings | undefined;

  constructor(definition: ResolvedConfigDefinition, parser: ValueParser<object>, serializer: DtoSerializer<object>) {
    this.format = formatOf(definition.codec);
    this.#definition = definition;
    this.#parser = parser;
    this.#serializer = serializer;
  }

  /**
   * Reads the default and the override.
   * @throws InvalidOptionsError if the override is not a document, or a variable does not fit its property
   */
  async prepare(): Promise<void> {
    const { default: value, override } = this.#definition;
    if (value !== undefined) {
      this.#default = [{ document: await this.#plain('default', value, 'class'), origin: { source: 'default' } }];
    }
    if (override instanceof EnvOverride) {
      this.#environment = override.read(this.#subject, this.#definition.type);
      this.#override = this.#environment.settings.map(({ variable, document }) => ({
        document,
        origin: { source: 'override', variable },
      }));
      for (const { variable, document } of this.#environment.settings) {
        await this.#check(`the variable ${variable}`, document);
      }
    } else if (override !== undefined) {
      const given = typeof override === 'function' ? this.#called(override as () => unknown) : override;
      this.#override = [{ document: await this.#plain('override', given, 'document'), origin: { source: 'override' } }];
    }
  }

  /** Variables of `fromEnv`; `undefined` for another override. */
  get environment(): EnvSettings | undefined {
    return this.#environment;
  }

  /** True if there is a value without any layer. */
  get hasLocalParts(): boolean {
    return this.#default.length > 0 || this.#override.some(({ document }) => Object.keys(document).length > 0);
  }

  /** Merges the documents of the layers, in the order of the definition. Never rejects. */
  async parse(layers: readonly LayerDocument[]): Promise<ParsedLayers> {
    const read = await this.read(layers);
    if (!read.ok) return read;
    const { merged } = read;
    const result = await this.#parser.parse(merged.bytes);
    if (result.ok) return { ...result, merged };
    const violations = merged.located(result.violations);
    return { ok: false, violations, ...(result.isUnresolved === true && { unresolved: merged }) };
  }

  /** Merges the documents without a validation of the result. */
  async read(
    layers: readonly LayerDocument[],
  ): Promise<{ readonly ok: true; readonly merged: MergedLayers } | (ParsedLayers & { readonly ok: false })> {
    const parts: DocumentPart<ConfigOrigin>[] = [];
    const violations: ConfigViolation[] = [];
    for (const { key, bytes } of layers) {
      if (bytes === undefined) continue;
      const origin: ConfigOrigin = { source: 'layer', layer: key };
      const result = await readDocument(bytes, this.format, this.#definition.limits);
      if (result.ok) parts.push({ document: result.value, origin });
      else violations.push(...result.violations.map((violation) => ({ ...violation, origin })));
    }
    if (violations.length > 0) return { ok: false, violations };
    return { ok: true, merged: new MergedLayers(layers, [...this.#default, ...parts, ...this.#override]) };
  }

  get #subject(): string {
    return describeTarget(this.#definition.target);
  }

  #called(override: () => unknown): unknown {
    try {
      return override();
    } catch (error) {
      throw new InvalidOptionsError(`the "override" of ${this.#subject} failed: ${describeThrown(error)}`);
    }
  }

  async #plain(option: 'default' | 'override', value: unknown, form: 'class' | 'document'): Promise<JsonObject> {
    const what = `the "${option}" of ${this.#subject}`;
    if (isThenable(value)) {
      ignoreRejection(value);
      throw new InvalidOptionsError(`${what} returned a promise; return an object`);
    }
    if (!isJsonObject(value)) throw new InvalidOptionsError(`${what} must be an object`);
    const result = this.#serializer.documentOf(value, form);
    if (!result.ok) throw invalid(what, result.violations);
    await this.#check(what, result.document);
    return result.document;
  }

  /** Applies the rules for documents, such as those for names, which the merge relies on. */
  async #check(what: string, document: JsonObject): Promise<void> {
    const result = await readDocument(JSON_FORMAT.write(document), JSON_FORMAT, this.#definition.limits);
    if (!result.ok) throw invalid(what, result.violations);
  }
}

const invalid = (what: string, violations: readonly ConfigViolation[]): InvalidOptionsError =>
  new InvalidOptionsError(new InvalidConfigError(what, violations).message);
