import type { WatcherService, WatchSubscription } from 'nestjs-etcd-trigger';
import { Recorder } from './recorder.js';

/** One of several watches of an application, on a prefix of its own. */
export interface OneOfMany {
  readonly prefix: string;
  readonly recorder: Recorder;
  readonly subscription: WatchSubscription;
}

/** Watches the prefixes `<root>0/`, `<root>1/` and so on. */
export function watchMany(watcher: WatcherService, count: number, root = '/many/'): Promise<OneOfMany[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const prefix = `${root}${index}/`;
      const recorder = new Recorder();
      const options = { onResync: recorder.onResync };
      return { prefix, recorder, subscription: await watcher.watch(prefix, recorder.onEvent, options) };
    }),
  );
}

/** True if every watch follows. */
export const allFollow = (watches: readonly OneOfMany[]): boolean =>
  watches.every(({ subscription }) => subscription.status === 'following');

/** True if every watch has received exactly these keys of its prefix, in this order. */
export const allHaveReceived = (watches: readonly OneOfMany[], ...names: string[]): boolean =>
  watches.every(
    ({ prefix, recorder }) =>
      recorder.events.map(({ key }) => key).join() === names.map((name) => prefix + name).join(),
  );
