import { join } from 'node:path';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { within } from '../../timing/time-limit.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { fileErrorCode } from './file-error-code.js';
import { SnapshotFile } from './snapshot-file.js';
import { type SnapshotContent, SnapshotFault } from './snapshot-format.js';
import { SnapshotSaver } from './snapshot-saver.js';

/** Where the last good configuration is kept for a start without etcd. */
export interface SnapshotOptions {
  /** A folder of the application's own; created if need be. It must survive a restart. */
  readonly directory: string;
  /**
   * A snapshot of which more time has passed since it was known to be current is not used, in milliseconds.
   * @default any age
   */
  readonly maxAgeMs?: number;
  /**
   * 32 bytes, for AES-256-GCM. Without it the file is readable by its owner, and definitions marked `secret` are left out.
   * @default none
   */
  readonly encryptionKey?: Buffer;
}

export interface ConfigSnapshotOptions {
  /** Name of the cluster in the application. */
  readonly cluster: string;
  readonly keyPrefix: string;
  readonly serviceName: string;
  readonly options: SnapshotOptions;
  readonly log: InstanceLog;
}

/** The last good configuration of a store as a file: what a start without etcd begins with, and what is written after changes. */
export class ConfigSnapshot {
  readonly #parts: ConfigSnapshotOptions;
  readonly #file: SnapshotFile;
  #saver: SnapshotSaver | undefined;
  #saidForeign = false;

  constructor(parts: ConfigSnapshotOptions) {
    const { cluster, serviceName, options } = parts;
    this.#parts = parts;
    const name = `${encodeURIComponent(serviceName)}.${encodeURIComponent(cluster)}.snapshot`;
    this.#file = new SnapshotFile(join(options.directory, name), options.encryptionKey);
  }

  /**
   * Shows what the file holds of those definitions that etcd has left without something.
   * @returns whether there is a file that can be used
   */
  async restore(left: ReadonlySet<DefinitionFeed>, all: readonly DefinitionFeed[]): Promise<boolean> {
    const content = await this.#read(all.flatMap(({ clusterId }) => clusterId ?? []));
    if (!content) return false;
    const restoring = [...left].map((feed) => feed.restore(content.documents, content));
    await within(Promise.all(restoring), VALIDATORS_LIMIT_MS);
    const without = [...left].map(({ subject }) => subject).filter((subject) => !content.definitions.includes(subject));
    const lacks = without.length > 0 ? `; it holds nothing of ${without.join(', ')}` : '';
    const current = new Date(content.asOf).toISOString();
    this.#parts.log.warn(`the offline snapshot ${this.#file.path}, current at ${current}, is used${lacks}`);
    return true;
  }

  /** Saves what these feeds show, from now on after every change. */
  keep(feeds: readonly DefinitionFeed[]): void {
    const { log, options } = this.#parts;
    this.#saver = new SnapshotSaver({
      path: this.#file.path,
      log,
      refreshMs: options.maxAgeMs && Math.min(options.maxAgeMs / REFRESHES, MAX_REFRESH_MS),
      save: async () => {
        const content = this.#contentOf(feeds);
        if (content) await this.#file.write(content);
      },
    });
    this.#saver.changed();
  }

  /** etcd has listed what was restored. */
  replaced(subject: string, isForeign: boolean): void {
    const { log } = this.#parts;
    if (!isForeign) {
      log.info(`${subject}: etcd is back, and what the offline snapshot gave is current again`);
    } else if (!this.#saidForeign) {
      this.#saidForeign = true;
      log.warn(`the offline snapshot ${this.#file.path} was of another cluster: what it gave is discarded`);
    }
  }

  changed(): void {
    this.#saver?.changed();
  }

  /** Saves what is not saved yet. */
  async close(): Promise<void> {
    await this.#saver?.close();
  }

  /** Ends without saving. */
  abandon(): void {
    this.#saver?.abandon();
  }

  async #read(listed: readonly string[]): Promise<SnapshotContent | undefined> {
    try {
      const content = await this.#file.read();
      if (!content) return undefined;
      this.#check(content, listed);
      return content;
    } catch (error) {
      const reason = error instanceof SnapshotFault ? error.message : `cannot be read (${fileErrorCode(error)})`;
      this.#parts.log.warn(`the offline snapshot ${this.#file.path} ${reason}: it is not used`);
      return undefined;
    }
  }

  #check({ clusterId, cluster, keyPrefix, asOf }: SnapshotContent, listed: readonly string[]): void {
    const { cluster: ownCluster, keyPrefix: ownPrefix, options } = this.#parts;
    if (cluster !== ownCluster || keyPrefix !== ownPrefix) {
      throw new SnapshotFault(`is of another cluster or keyPrefix ("${cluster}", "${keyPrefix}")`);
    }
    if (listed.some((id) => id !== clusterId)) throw new SnapshotFault('is of another cluster');
    if (options.maxAgeMs !== undefined && Date.now() - asOf > options.maxAgeMs) {
      throw new SnapshotFault(`is older than ${options.maxAgeMs} ms (current at ${new Date(asOf).toISOString()})`);
    }
  }

  /** `undefined` while nothing is newer than the file, or the definitions are not known to be of one cluster. */
  #contentOf(feeds: readonly DefinitionFeed[]): SnapshotContent | undefined {
    const { cluster, keyPrefix, options } = this.#parts;
    if (!feeds.some(({ isListed }) => isListed)) return undefined;
    const read = feeds.filter(({ asOf }) => asOf !== undefined);
    const [clusterId, ...others] = new Set(read.map((feed) => feed.clusterId));
    if (clusterId === undefined || others.length > 0) return undefined;
    const kept = read.filter(({ definition }) => !definition.secret || options.encryptionKey !== undefined);
    return {
      clusterId,
      cluster,
      keyPrefix,
      asOf: Math.min(Date.now(), ...kept.map(({ asOf = 0 }) => asOf)),
      definitions: kept.map(({ subject }) => subject),
      documents: kept.flatMap(({ cache }) => cache.documents()),
    };
  }
}

/** Validators that wait for something that is away, too, must not hold up the start. */
const VALIDATORS_LIMIT_MS = 1_000;

/** How often within its maximal age a file is written anew. */
const REFRESHES = 4;
const MAX_REFRESH_MS = 24 * 3_600_000;
