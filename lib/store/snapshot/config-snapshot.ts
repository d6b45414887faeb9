import { join } from 'node:path';
import type { InstanceLog } from '../../etcd-trigger.log.js';
import { hasSecrets } from '../../dto/class-metadata.js';
import { quoted, someOf } from '../../foreign/foreign-text.js';
import { within } from '../../timing/time-limit.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import { fileErrorCode } from './file-error-code.js';
import { SnapshotFile } from './snapshot-file.js';
import type { SnapshotContent } from './snapshot-content.js';
import { UnusableSnapshotError } from './snapshot-format.js';
import { SnapshotSaver } from './snapshot-saver.js';

/** Offline snapshot: a file with the last good configuration, for a start without etcd. */
export interface SnapshotOptions {
  /** Folder for the snapshots of the application; created if it does not exist. It must survive a restart. */
  readonly directory: string;
  /**
   * Maximum age of a snapshot, in milliseconds since it was last known to be current. An older snapshot is not used.
   * @default any age
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * 32 bytes, for AES-256-GCM. Without it the file is readable by its owner, and definitions that are `secret`, or whose
   * class has properties with `@Secret()`, are excluded.
   * @default none
   */
  readonly encryptionKey?: Buffer | undefined;
}

export interface ConfigSnapshotOptions {
  /** Name of the cluster in the application. */
  readonly cluster: string;
  readonly keyPrefix: string;
  readonly serviceName: string;
  readonly snapshot: SnapshotOptions;
  readonly log: InstanceLog;
}

/**
 * Restores the configuration of a store from a file when etcd does not answer at startup, and saves it after changes.
 */
export class ConfigSnapshot {
  readonly #options: ConfigSnapshotOptions;
  readonly #file: SnapshotFile;
  #saver: SnapshotSaver | undefined;
  #isForeignReported = false;

  constructor(options: ConfigSnapshotOptions) {
    const { cluster, serviceName, snapshot } = options;
    this.#options = options;
    const name = `${encodeURIComponent(serviceName)}.${encodeURIComponent(cluster)}.snapshot`;
    this.#file = new SnapshotFile(join(snapshot.directory, name), snapshot.encryptionKey);
  }

  /**
   * Restores the incomplete definitions.
   * @returns false if there is no usable file
   */
  async restore(incomplete: ReadonlySet<DefinitionFeed>, all: readonly DefinitionFeed[]): Promise<boolean> {
    const content = await this.#read(all);
    if (!content) return false;
    const restoring = [...incomplete].map((feed) => feed.restore(content.documents, content));
    await within(Promise.all(restoring), VALIDATORS_LIMIT_MS);
    const missing = [...incomplete].filter(({ identity }) => !content.definitions.includes(identity));
    const subjects = missing.map(({ subject }) => subject).join(', ');
    const exception = subjects && `; it does not contain ${subjects}`;
    this.#options.log.warn(`${this.#describe(content)} is used${exception}`);
    return true;
  }

  /** Restores single keys, whose values in etcd are invalid. */
  async restoreKeys(
    keysOf: ReadonlyMap<DefinitionFeed, readonly string[]>,
    all: readonly DefinitionFeed[],
  ): Promise<void> {
    const content = await this.#read(all);
    if (!content) return;
    const restoring = [...keysOf].map(([feed, keys]) => feed.restore(content.documents, content, keys));
    await within(Promise.all(restoring), VALIDATORS_LIMIT_MS);
    const restored = [...keysOf].flatMap(([{ cache }, keys]) =>
      keys.filter((key) => cache.entry(key).source === 'snapshot'),
    );
    if (restored.length > 0) this.#options.log.warn(`${this.#describe(content)} is used for ${someOf(restored)}`);
  }

  /** Saves the values of these feeds, now and after every change. */
  startSaving(feeds: readonly DefinitionFeed[]): void {
    const { log, snapshot } = this.#options;
    this.#saver = new SnapshotSaver({
      path: this.#file.path,
      log,
      refreshMs: snapshot.maxAgeMs && Math.min(snapshot.maxAgeMs / REFRESHES, MAX_REFRESH_MS),
      save: async () => {
        const content = this.#contentOf(feeds);
        if (content) await this.#file.write(content);
      },
    });
    this.#saver.changed();
  }

  /** Reports that the first list of etcd has replaced the restored values. */
  replaced(subject: string, isForeign: boolean): void {
    const { log } = this.#options;
    if (!isForeign) {
      log.info(`${subject}: etcd is available again and has replaced the values of the offline snapshot`);
    } else if (!this.#isForeignReported) {
      this.#isForeignReported = true;
      log.warn(`the offline snapshot ${this.#file.path} was of another cluster: its values are discarded`);
    }
  }

  changed(): void {
    this.#saver?.changed();
  }

  /** Saves pending changes. */
  async close(): Promise<void> {
    await this.#saver?.close();
  }

  /** Stops without saving. */
  abandon(): void {
    this.#saver?.abandon();
  }

  #describe({ asOf }: SnapshotContent): string {
    return `the offline snapshot ${this.#file.path}, current at ${new Date(asOf).toISOString()},`;
  }

  async #read(feeds: readonly DefinitionFeed[]): Promise<SnapshotContent | undefined> {
    try {
      const read = await within(
        this.#file.read().then((content) => ({ content })),
        READ_LIMIT_MS,
      );
      if (!read) throw new UnusableSnapshotError(`cannot be read within ${READ_LIMIT_MS} ms`);
      const listed = feeds.flatMap(({ clusterId }) => clusterId ?? []);
      if (read.content) this.#check(read.content, listed);
      return read.content;
    } catch (error) {
      const reason =
        error instanceof UnusableSnapshotError ? error.message : `cannot be read (${fileErrorCode(error)})`;
      this.#options.log.warn(`the offline snapshot ${this.#file.path} ${reason}: it is not used`);
      return undefined;
    }
  }

  #check({ clusterId, cluster, keyPrefix, asOf }: SnapshotContent, listed: readonly string[]): void {
    const { cluster: ownCluster, keyPrefix: ownPrefix, snapshot } = this.#options;
    if (cluster !== ownCluster || keyPrefix !== ownPrefix) {
      throw new UnusableSnapshotError(`is of another cluster or keyPrefix (${quoted(cluster)}, ${quoted(keyPrefix)})`);
    }
    if (listed.some((id) => id !== clusterId)) throw new UnusableSnapshotError('is of another cluster');
    if (snapshot.maxAgeMs === undefined) return;
    if (asOf - Date.now() > CLOCK_TOLERANCE_MS) {
      throw new UnusableSnapshotError(`has an unknown age (current at ${new Date(asOf).toISOString()}, in the future)`);
    }
    if (Date.now() - asOf > snapshot.maxAgeMs) {
      throw new UnusableSnapshotError(
        `is older than ${snapshot.maxAgeMs} ms (current at ${new Date(asOf).toISOString()})`,
      );
    }
  }

  /** Returns `undefined` while nothing is newer than the file, or if the definitions are of different clusters. */
  #contentOf(feeds: readonly DefinitionFeed[]): SnapshotContent | undefined {
    const { cluster, keyPrefix, snapshot } = this.#options;
    if (!feeds.some(({ isListed }) => isListed)) return undefined;
    const read = feeds.filter(({ asOf }) => asOf !== undefined);
    const [clusterId, ...others] = new Set(read.map((feed) => feed.clusterId));
    if (clusterId === undefined || others.length > 0) return undefined;
    const saved = read.filter(
      ({ definition: { secret, type } }) => snapshot.encryptionKey !== undefined || (!secret && !hasSecrets(type)),
    );
    return {
      clusterId,
      cluster,
      keyPrefix,
      asOf: saved.reduce((oldest, { asOf = 0 }) => Math.min(oldest, asOf), Date.now()),
      definitions: saved.map(({ identity }) => identity),
      documents: saved.flatMap((feed) => feed.documents()),
    };
  }
}

/** Validators may depend on a service that is unavailable, too; they must not delay the start. */
const VALIDATORS_LIMIT_MS = 1_000;

/** A file system that hangs must not delay the start without bound. */
const READ_LIMIT_MS = 10_000;

/** A clock may have been set back a little since the snapshot was written. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Number of times that an unchanged file is saved again within its maximum age. */
const REFRESHES = 4;
const MAX_REFRESH_MS = 24 * 3_600_000;
