import { maskedData } from '../dto/secrets/masked-data.js';
import { typeName } from '../dto/value-type.js';
import type { ConfigEntry } from '../store/cache/cache-entry.js';
import type { DefinitionFeed } from '../store/cache/definition-feed.js';

/** The configuration of one key that readers see, with its provenance: revision, source and violations. */
export interface EffectiveConfig extends Omit<ConfigEntry<unknown>, 'value'> {
  readonly cluster: string;
  readonly key: string;
  /** Name of the class, or the kind of schema, such as `zod schema`. */
  readonly type: string;
  /** Plain data, in which `***` replaces the secrets; `undefined` if readers see no value. */
  readonly value: unknown;
}

/** Returns the configurations of one definition, sorted by key. */
export const effectiveConfigs = (cluster: string, feed: DefinitionFeed): EffectiveConfig[] =>
  [...feed.cache.knownKeys()].sort().map((key) => {
    const { value, ...provenance } = feed.entry(key);
    return { cluster, key, type: typeName(feed.definition.type), value: maskedData(value), ...provenance };
  });
