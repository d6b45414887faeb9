import { coercedProperties } from '../dto/coerced-properties.js';
import { InvalidConfigError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { describeThrown } from '../foreign/foreign-error.js';
import { quoted, someOf } from '../foreign/foreign-text.js';
import type { ClusterObserver } from '../watch/sharing/cluster-observer.js';
import type { DeliveryFailures } from '../watch/sharing/delivery-failures.js';
import type { CacheUpdate } from './cache/cache-update.js';
import type { DefinitionFeed, FeedReporter } from './cache/definition-feed.js';
import { LayeredFeed } from './layers/layered-feed.js';

/** Number of keys that one update of a definition logs. */
const MAX_LOGGED_KEYS = 100;

export interface FeedReportsOptions {
  readonly log: InstanceLog;
  readonly observer?: ClusterObserver | undefined;
  readonly failures: DeliveryFailures;
  /** True until the definitions are loaded. */
  readonly isStarting: () => boolean;
}

/** The sentence about the first key of a definition that is not UTF-8. */
export const unnamedText = (subject: string, escapedKey: string): string =>
  `${subject}: "${escapedKey}" is not UTF-8, so it has no name: this key and others like it are left out`;

/** Reports what happens to the definitions of a store: in log lines and metrics, without values. */
export class FeedReports implements FeedReporter {
  readonly #options: FeedReportsOptions;

  constructor(options: FeedReportsOptions) {
    this.#options = options;
  }

  /** Warns of properties that are converted before they are validated. */
  coerced(feeds: readonly DefinitionFeed[]): void {
    const coerced = new Set(feeds.flatMap(({ definition }) => coercedProperties(definition.type)));
    for (const property of coerced) {
      this.#options.log.warn(
        `${property}, which converts any value before it is validated: use a strict conversion (docs/configuration.md)`,
      );
    }
  }

  /** Warns of variables that are named like an override, but set no property of any definition. */
  unusedVariables(feeds: readonly DefinitionFeed[]): void {
    const read = feeds.flatMap((feed) => (feed instanceof LayeredFeed ? (feed.merger.environment ?? []) : []));
    const known = new Set(read.flatMap((environment) => [...environment.known]));
    const unknown = new Set(read.flatMap((environment) => environment.unknown).filter((name) => !known.has(name)));
    if (unknown.size === 0) return;
    this.#options.log.warn(
      `these variables set no property of a configuration, and are ignored: ${someOf([...unknown])}`,
    );
  }

  updated(feed: DefinitionFeed, update: CacheUpdate<object>): void {
    const { log } = this.#options;
    const { rejected, healed } = update;
    this.#count(feed, update);
    for (const { key, revision, violations } of rejected.slice(0, MAX_LOGGED_KEYS)) {
      const { message } = new InvalidConfigError(`${quoted(key)} at revision ${revision}`, violations);
      log.error(`${message}; ${this.#effectOf(feed, key)}`);
    }
    if (rejected.length > MAX_LOGGED_KEYS) {
      log.error(`${feed.subject}: ${rejected.length - MAX_LOGGED_KEYS} more values are not valid`);
    }
    for (const key of healed.slice(0, MAX_LOGGED_KEYS)) log.info(`${quoted(key)} is valid again`);
    if (healed.length > MAX_LOGGED_KEYS) {
      log.info(`${feed.subject}: ${healed.length - MAX_LOGGED_KEYS} more values are valid again`);
    }
  }

  stripped(key: string, names: string): void {
    this.#options.log.warn(`${quoted(key)}: ignored properties that its class does not know: ${names}`);
  }

  unnamed({ subject }: DefinitionFeed, escapedKey: string): void {
    this.#options.log.warn(unnamedText(subject, escapedKey));
  }

  parserFailed(key: string, error: unknown): void {
    this.#options.log.error(`${quoted(key)}: parsing failed unexpectedly: ${describeThrown(error)}`);
  }

  failed(feed: DefinitionFeed, error: unknown): void {
    this.#options.failures.failed(feed, feed.subject, error);
  }

  recovered(feed: DefinitionFeed): void {
    this.#options.failures.recovered(feed, feed.subject);
  }

  references({ subject }: DefinitionFeed, error: Error | undefined): void {
    const { log } = this.#options;
    if (error) log.warn(`${subject}: secrets cannot be refreshed; the last good ones stay: ${describeThrown(error)}`);
    else log.info(`${subject}: secrets are refreshed again`);
  }

  #count({ subject }: DefinitionFeed, { updates, rejected }: CacheUpdate<object>): void {
    const { observer, failures } = this.#options;
    try {
      observer?.stored(subject, { updates, rejections: rejected.length });
      failures.recovered(this, 'metrics of the store');
    } catch (error) {
      failures.missed(this, 'metrics of the store', error);
    }
  }

  /** Describes the value that readers see instead of a rejected one. */
  #effectOf({ cache, definition }: DefinitionFeed, key: string): string {
    const { value, source } = cache.entry(key);
    if (value !== undefined && source !== 'default') return 'the last good value stays';
    const shown = value === undefined ? 'there is no good value' : 'the default applies';
    const isSkipped = this.#options.isStarting() && definition.onInvalid === 'skip';
    return isSkipped ? `skipped at startup: ${shown}` : shown;
  }
}
