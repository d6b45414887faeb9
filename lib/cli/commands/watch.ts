import { once } from 'node:events';
import { escapedKey, hasExactText, rawKeyOf } from '../../backend/key-record.js';
import { maskedData } from '../../dto/secrets/masked-data.js';
import { printable } from '../../foreign/foreign-text.js';
import type { ConfigChange } from '../../store/changes/config-change.js';
import type { ConfigRefusal } from '../../store/changes/refusal-listeners.js';
import type { WatchEvent } from '../../watch/watch-event.js';
import type { Session } from '../session.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { describeViolations } from '../violations.js';
import { compact } from './values.js';

/** Prints what exists under the prefix, and then each change, until the user ends the command. */
export async function watch(
  { store, watcher, declared }: Session,
  prefix: string,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const print = (line: string, data: object): void => {
    terminal.out(json ? compact(data) : line);
  };
  const onEvent = (event: WatchEvent): void => {
    print(`${event.type} ${nameOf(event)} (revision ${event.revision})`, event);
  };
  if (declared) {
    store.onChange(prefix, (change) => {
      print(lineOf(change), dataOf(change));
    });
    store.onRefused(prefix, (refusal) => {
      print(refusalLine(refusal), refusal);
    });
    // The store follows etcd from its first request on.
    await store.waitForRevision(1);
  } else {
    await watcher.watch({ prefix }, onEvent);
  }
  if (!terminal.interrupted.aborted) await once(terminal.interrupted, 'abort');
  return ExitCode.OK;
}

/** A key that is not UTF-8 is shown by its bytes. */
function nameOf({ key, keyBytes }: WatchEvent): string {
  const rawKey = rawKeyOf(keyBytes);
  return hasExactText(rawKey) ? printable(key) : escapedKey(rawKey);
}

const lineOf = ({ type, key, revision, changedPaths }: ConfigChange): string =>
  `${type} ${printable(key)} (revision ${revision}): ${changedPaths.map((path) => path || '(document)').join(', ')}`;

const refusalLine = (refusal: ConfigRefusal): string =>
  refusal.type === 'refused'
    ? `invalid ${printable(refusal.key)} (revision ${refusal.revision}): ${describeViolations(refusal.violations)}`
    : `healed ${printable(refusal.key)} (revision ${refusal.revision})`;

const dataOf = ({ type, key, revision, origin, changedPaths, value }: ConfigChange): object => ({
  type,
  key,
  revision,
  origin,
  changedPaths,
  value: maskedData(value),
});
