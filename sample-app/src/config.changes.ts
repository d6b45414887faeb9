import { isDeepStrictEqual } from 'node:util';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type ConfigChange, StoreService } from 'nestjs-etcd-trigger';
import { Activity } from './activity.js';
import { isSecret, MASK } from './masking.js';
import { print } from './terminal.js';

/** Listens to all configurations under a prefix: the existing ones first, then every change. */
@Injectable()
export class ConfigChanges implements OnApplicationBootstrap {
  constructor(
    private readonly store: StoreService,
    private readonly activity: Activity,
  ) {}

  onApplicationBootstrap(): void {
    this.store.onChange('/app/config/', (change) => {
      const { key, type, revision, origin } = change;
      print('config', `${key} ${type} (revision ${revision}, ${origin})`);
      this.activity.add({ subject: 'config', key, type, revision, origin, detail: describe(change) });
    });
  }
}

/**
 * Returns for example `port: 6379 → 6380`, or the whole document if it is new. Properties whose value did not change
 * are left out.
 */
function describe({ changedPaths, value = {}, previous = {} }: ConfigChange<object>): string {
  const [after, before] = [new Map(Object.entries(value)), new Map(Object.entries(previous))];
  const paths = changedPaths.includes('') ? [...after.keys()] : changedPaths;
  return paths
    .filter((path) => !isDeepStrictEqual(after.get(path), before.get(path)))
    .map(
      (path) =>
        `${path}: ${before.has(path) ? `${show(path, before.get(path))} → ` : ''}${show(path, after.get(path))}`,
    )
    .join(', ');
}

const show = (path: string, value: unknown): string =>
  value === undefined ? 'nothing' : isSecret(path) ? MASK : JSON.stringify(value);
