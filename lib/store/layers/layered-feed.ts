import type { ConfigOrigin, ConfigViolation } from '../../etcd-trigger.errors.js';
import { bufferOf } from '../../dto/formats/document-bytes.js';
import type { ParseResult } from '../../dto/dto-parser.js';
import type { DocumentFormat } from '../../dto/formats/document-format.js';
import { UnknownReports } from '../../dto/unknown-reports.js';
import type { WatchOrigin } from '../../watch/watch-event.js';
import { type CacheEntry, type ConfigEntry, now, type ParsedChange, parsedPut } from '../cache/cache-entry.js';
import type { ConfigDocument } from '../cache/config-cache.js';
import { DefinitionFeed, type FeedSink, type RestoredValue } from '../cache/definition-feed.js';
import type { ResolvedConfigDefinition } from '../definitions/resolved-definition.js';
import { sealLayers, unsealLayers } from './layer-envelope.js';
import { LayerMerger } from './layer-merger.js';
import type { LayerDocument, MergedLayers } from './merged-layers.js';
import type { LayersAt } from './read-together.js';

/** The feed of a definition with layers or an override: shows the merge of documents that existed at one revision. */
export class LayeredFeed extends DefinitionFeed {
  readonly merger: LayerMerger;
  /** Keys of the layers, in the order in which they are merged. */
  readonly layerKeys: readonly string[];
  /** Returns all feeds with the layer. */
  readonly sharing: (layer: string) => readonly LayeredFeed[];
  readonly #sink: FeedSink;
  readonly #unknownReports = new UnknownReports();
  /** The layers as they were last read. */
  #layers: readonly LayerDocument[];
  /** The merges that values were parsed from, by their bytes. */
  readonly #merges = new WeakMap<Buffer, MergedLayers>();
  readonly #origins = new WeakMap<Buffer, Readonly<Record<string, ConfigOrigin>>>();

  constructor(
    definition: ResolvedConfigDefinition,
    { layerKeys, sharing }: Pick<LayeredFeed, 'layerKeys' | 'sharing'>,
    index: Map<string, CacheEntry<object>>,
    sink: FeedSink,
  ) {
    super(definition, (key) => key === definition.name, index, sink);
    this.#sink = sink;
    this.layerKeys = layerKeys;
    this.sharing = sharing;
    this.#layers = layerKeys.map((key) => ({ key, revision: 0, bytes: undefined }));
    this.merger = new LayerMerger(definition, this.parser, this.serializer);
  }

  override get format(): DocumentFormat {
    return this.merger.format;
  }

  override get identity(): string {
    return `${super.identity} of layers ${JSON.stringify(this.layerKeys)}`;
  }

  /**
   * Validates the default with the override over it. An override alone is the value while there is no layer, if it is
   * valid.
   * @throws InvalidOptionsError for an override that cannot be used
   */
  override async prepare(): Promise<readonly ConfigViolation[]> {
    await this.merger.prepare();
    if (!this.merger.hasLocalParts) return [];
    const { default: given, name: key } = this.definition;
    const result = await this.merger.parse([]);
    if (!result.ok) return given === undefined ? [] : result.violations;
    const { value, merged } = result;
    this.#merges.set(merged.bytes, merged);
    this.useFallback({ key, value, bytes: merged.bytes });
    return [];
  }

  override entry(key: string): ConfigEntry<object> {
    const from = this.#originsOf(key);
    const layers = this.#layers.map((layer) => Object.freeze({ key: layer.key, revision: layer.revision }));
    return Object.freeze({ ...super.entry(key), ...(from && { from }), layers: Object.freeze(layers) });
  }

  override headRevision(key: string): number {
    return this.#layers.find((layer) => layer.key === key)?.revision ?? 0;
  }

  /** A layer is a part: it has no value of its own. */
  override parseValue(): ParseResult<object> {
    return { ok: false, violations: [] };
  }

  override documents(): ConfigDocument[] {
    return super.documents().flatMap((document) => {
      const merged = this.#merges.get(document.bytes);
      return merged ? [{ ...document, bytes: sealLayers(merged.layers) }] : [];
    });
  }

  /**
   * Shows the merge of layers that were read together.
   * @param changed - revision of the last change of a layer
   */
  deliverLayers({ revision, layers }: LayersAt, changed: number, origin: WatchOrigin): void {
    this.deliverChanges({ revision, origin }, [this.#change(layers, changed)]);
  }

  protected override async parseRestored(document: ConfigDocument): Promise<RestoredValue | undefined> {
    const layers = unsealLayers(document.bytes, this.layerKeys);
    const result = layers && (await this.merger.parse(layers));
    if (!result?.ok) return undefined;
    const { value, merged } = result;
    this.#merges.set(merged.bytes, merged);
    if (!this.isListed) this.#layers = merged.layers;
    return { ...document, bytes: merged.bytes, value };
  }

  /** Never rejects. */
  async #change(layers: readonly LayerDocument[], revision: number): Promise<ParsedChange<object>> {
    const { name: key, type } = this.definition;
    try {
      const parsed = layers.some(({ bytes }) => bytes !== undefined) ? await this.merger.parse(layers) : undefined;
      this.#layers = layers;
      if (!parsed) return { state: 'deleted', key, revision };
      if (!parsed.ok) {
        const { violations, unresolved } = parsed;
        if (unresolved) {
          this.#merges.set(unresolved.bytes, unresolved);
          this.retryUnresolved({ key, revision, bytes: unresolved.bytes });
        }
        return { state: 'rejected', key, revision, violations };
      }
      const { merged, stripped } = parsed;
      this.#merges.set(merged.bytes, merged);
      const names = this.#unknownReports.namesToReport(stripped);
      if (names !== undefined) this.#sink.reports.stripped(key, names);
      return parsedPut({ key, revision, bytes: merged.bytes }, parsed, type, now());
    } catch (error) {
      this.#sink.reports.parserFailed(key, error);
      return { state: 'rejected', key, revision, violations: [{ path: '', constraints: ['parser'] }] };
    }
  }

  #originsOf(key: string): Readonly<Record<string, ConfigOrigin>> | undefined {
    const bytes = this.cache.visibleBytes(key);
    const merged = bytes === undefined ? undefined : this.#merges.get(bufferOf(bytes));
    if (!merged) return undefined;
    const known = this.#origins.get(merged.bytes);
    if (known) return known;
    const value = this.cache.get(key);
    const plain = this.serializer.documentOf(value, 'class');
    const document = this.parser.documentOf({ value, bytes: merged.bytes }) ?? merged.document;
    const origins = merged.originsOf(document, plain.ok ? plain.document : {});
    this.#origins.set(merged.bytes, origins);
    return origins;
  }
}
