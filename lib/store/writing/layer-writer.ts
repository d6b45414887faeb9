import { setTimeout as sleep } from 'node:timers/promises';
import { type ConfigViolation, InvalidConfigError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { checkKnown } from '../../option-checks.js';
import { fencesOf } from '../../backend/fence.js';
import { rawKeyOf } from '../../backend/key-record.js';
import type { KeyValueStore } from '../../backend/key-value-store.js';
import type { JsonObject } from '../../dto/json-object.js';
import { maskedPathsOf } from '../../dto/secrets/conceal.js';
import type { ParsedLayers } from '../layers/layer-merger.js';
import type { LayeredFeed } from '../layers/layered-feed.js';
import type { LayerDocument } from '../layers/merged-layers.js';
import { type LayersAt, readTogether } from '../layers/read-together.js';
import { conflictPause, type ConfigUpdate, MAX_TRIES, UPDATE_OPTIONS, type UpdateOptions } from './config-updater.js';
import { type AppliedWrite, type ConfigWriter, type WriteRequest, type WriteResult, written } from './config-writer.js';
import type { KeyWrite, PutContent } from './key-write.js';
import {
  DELETE_OPTIONS,
  type DeleteOptions,
  expectedRevision,
  originOf,
  PUT_OPTIONS,
  type PutOptions,
} from './write-options.js';
import { KeyedQueue } from './keyed-queue.js';
import { layerOf } from './layer-options.js';
import { updatedLayer } from './layer-update.js';

/** A new document of one layer. */
export interface LayerChange {
  readonly feed: LayeredFeed;
  readonly layer: string;
  /** Revision that the layer must have; 0: absent; `undefined`: no condition. */
  readonly expected: number | undefined;
  /** Returns the bytes of the document, or `undefined` to delete it. Called again after a conflict. */
  readonly next: (layers: readonly LayerDocument[]) => Buffer | undefined | Promise<Buffer | undefined>;
}

/** Writes of layers, and other writes of the same transaction. */
export interface LayerWriteRequest extends WriteRequest {
  readonly changes: readonly LayerChange[];
}

/**
 * Writes layers. Reads all layers of the affected definitions at one revision, validates what readers would see, and
 * writes on condition that no layer has changed since. Starts again after a conflict, at most 50 times.
 */
export class LayerWriter {
  readonly #keyValue: Pick<KeyValueStore, 'commit'>;
  readonly #writer: ConfigWriter;
  readonly #queue = new KeyedQueue();

  constructor(keyValue: Pick<KeyValueStore, 'commit'>, writer: ConfigWriter) {
    this.#keyValue = keyValue;
    this.#writer = writer;
  }

  async put(feed: LayeredFeed, key: string, content: PutContent, options: PutOptions): Promise<WriteResult> {
    const what = `put ${quoted(key)}`;
    checkKnown(options, PUT_OPTIONS, { owner: ` of ${what}` });
    if (options.lease) checkKnown(options.lease, { ttlSeconds: true }, { path: 'lease.', owner: ` of ${what}` });
    const layer = layerOf(what, feed, options);
    const change = plannedLayerPut(feed, layer, content, expectedRevision(what, key, options));
    const fences = fencesOf(what, options, key);
    const request = { what, writes: [], changes: [change], fences, origin: originOf(what, key, options) };
    if (!options.lease) return written(await this.apply(request));
    return this.#writer.withLease(layer, options.lease, (lease) => this.apply({ ...request, lease }));
  }

  async delete(
    feed: LayeredFeed,
    key: string,
    options: DeleteOptions,
  ): Promise<WriteResult & { readonly deleted: boolean }> {
    const what = `delete ${quoted(key)}`;
    checkKnown(options, DELETE_OPTIONS, { owner: ` of ${what}` });
    const change = plannedLayerDelete(feed, layerOf(what, feed, options), expectedRevision(what, key, options));
    const fences = fencesOf(what, options, key);
    const origin = originOf(what, key, options);
    const { revision, visible, deleted } = await this.apply({ what, writes: [], changes: [change], fences, origin });
    return { revision, deleted: deleted.length > 0, visible };
  }

  async update(
    feed: LayeredFeed,
    key: string,
    change: ConfigUpdate<object>,
    options: UpdateOptions,
  ): Promise<WriteResult> {
    const what = `update ${quoted(key)}`;
    checkKnown(options, UPDATE_OPTIONS, { owner: ` of ${what}` });
    const layer = layerOf(what, feed, options);
    const fences = fencesOf(what, options, key);
    const next: LayerChange['next'] = async (layers) =>
      bytesOf(feed, layer, await updatedLayer(feed, layer, layers, change));
    const changes = [{ feed, layer, expected: undefined, next }];
    const request = {
      what,
      writes: [],
      changes,
      fences,
      origin: originOf(what, key, options),
      action: 'update' as const,
    };
    return this.#queue.run(key, async () => written(await this.apply(request)));
  }

  /**
   * Applies all changes and writes, or none.
   * @throws InvalidConfigError if a definition would become invalid
   * @throws RevisionConflictError if an expectation does not hold, or after 50 conflicts
   */
  async apply({ changes, writes, ...request }: LayerWriteRequest): Promise<AppliedWrite> {
    if (changes.length === 0) return this.#writer.apply({ ...request, writes });
    const affected = new Set(changes.flatMap(({ feed, layer }) => [feed, ...feed.sharing(layer)]));
    const keys = [...new Set([...affected].flatMap(({ layerKeys }) => layerKeys))];
    for (let tries = 1; ; tries += 1) {
      const read = await readTogether(this.#keyValue, `${request.what}: read the layers`, keys);
      const planned = await Promise.all(changes.map((change) => this.#plan(change, read)));
      await this.#check(changes, affected, read, planned);
      const guards = read.layers.filter(({ key }) => !planned.some((write) => write.key === key));
      const result = await this.#writer.attempt({
        ...request,
        writes: [...writes, ...planned],
        guards: guards.map(({ key, revision }) => ({ key, revision })),
      });
      if (result.applied) return result;
      const isExpected = changes.some(({ layer, expected }) => expected !== undefined && layer === result.conflict.key);
      const isForeign = writes.some(({ key }) => key === result.conflict.key);
      if (isExpected || isForeign || tries === MAX_TRIES) throw result.conflict;
      await sleep(conflictPause(tries));
    }
  }

  /** A layer without an expectation is compared with what was read, so that it cannot change in between. */
  async #plan({ feed, layer, expected, next }: LayerChange, { layers }: LayersAt): Promise<KeyWrite> {
    const value = await next(layersFor(feed, layers));
    const rawKey = rawKeyOf(layer);
    const before = layers.find(({ key }) => key === layer);
    return {
      feed,
      key: layer,
      operation: value === undefined ? { type: 'delete', rawKey } : { type: 'put', rawKey, value },
      expected: expected ?? before?.revision ?? 0,
      before,
      shownBy: feed.sharing(layer),
    };
  }

  /** Another definition that shares a layer must not become invalid; it may be invalid already. */
  async #check(
    changes: readonly LayerChange[],
    affected: ReadonlySet<LayeredFeed>,
    { layers }: LayersAt,
    planned: readonly KeyWrite[],
  ): Promise<void> {
    for (const feed of affected) {
      const before = layersFor(feed, layers);
      const after = before.map((layer) => withWrite(layer, planned));
      if (after.every(({ bytes }) => bytes === undefined)) continue;
      const isNamed = changes.some((change) => change.feed === feed);
      const violations = violationsOf(feed, await feed.merger.parse(after), isNamed);
      if (violations.length === 0) continue;
      if (!isNamed && !(await feed.merger.parse(before)).ok) continue;
      const { name: key } = feed.definition;
      const names = planned.map((write) => quoted(write.key)).join(', ');
      throw new InvalidConfigError(`${quoted(key)} with this change of ${names}`, violations, { key });
    }
  }
}

/** @throws InvalidConfigError if the value cannot be a document */
export const plannedLayerPut = (
  feed: LayeredFeed,
  layer: string,
  content: PutContent,
  expected: number | undefined,
): LayerChange => ({ feed, layer, expected, next: () => contentOf(feed, layer, content) });

export const plannedLayerDelete = (feed: LayeredFeed, layer: string, expected: number | undefined): LayerChange => ({
  feed,
  layer,
  expected,
  next: () => undefined,
});

/** The violation `masked`: a secret would be replaced by its mask. */
const violationsOf = ({ parser }: LayeredFeed, parsed: ParsedLayers, isNamed: boolean): readonly ConfigViolation[] => {
  if (!parsed.ok) return parsed.violations;
  const masked = isNamed ? maskedPathsOf(parsed.value, parser.references !== undefined) : [];
  return parsed.merged.located(masked.map((path) => ({ path, constraints: ['masked'] })));
};

const layersFor = ({ layerKeys }: LayeredFeed, layers: readonly LayerDocument[]): LayerDocument[] =>
  layerKeys.flatMap((key) => layers.find((layer) => layer.key === key) ?? []);

function withWrite(layer: LayerDocument, planned: readonly KeyWrite[]): LayerDocument {
  const write = planned.find(({ key }) => key === layer.key);
  if (!write) return layer;
  return { ...layer, bytes: write.operation.type === 'put' ? write.operation.value : undefined };
}

async function contentOf(feed: LayeredFeed, layer: string, content: PutContent): Promise<Buffer> {
  const form = 'form' in content ? content.form : 'class';
  const result = feed.serializer.documentOf(content.value, form);
  if (!result.ok)
    throw new InvalidConfigError(`the value for layer ${quoted(layer)}`, result.violations, { key: layer });
  return bytesOf(feed, layer, result.document);
}

async function bytesOf({ merger }: LayeredFeed, layer: string, document: JsonObject): Promise<Buffer> {
  const bytes = await merger.format.write(document);
  if (Buffer.isBuffer(bytes)) return bytes;
  throw new InvalidConfigError(`the value for layer ${quoted(layer)}`, bytes.violations, { key: layer });
}
