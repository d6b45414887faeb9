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

/**
 * Prints each change under the prefix until the user ends the command. Before that, prints what exists if `initial` is
 * set.
 */
export async function watch(
  { store, watcher, declared, feeds }: Session,
  prefix: string,
  { json, initial }: { readonly json: boolean; readonly initial: boolean },
  terminal: Terminal,
): Promise<ExitCode> {
  const print = (line: string, data: object): void => {
    terminal.out(json ? compact(data) : line);
  };
  const onEvent = (event: WatchEvent): void => {
    print(`${verbOf(event)} ${nameOf(event)} (revision ${event.revision})`, event);
  };
  if (declared) {
    store.onChange(prefix, (change) => {
      if (initial || change.origin !== 'initial') print(lineOf(change), dataOf(change));
    });
    const known = initial ? new Set<string>() : knownRefusals(feeds);
    store.onRefused(prefix, (refusal) => {
      if (!known.delete(identityOf(refusal))) print(refusalLine(refusal), refusal);
    });
    // The store follows etcd from its first request on.
    await store.waitForRevision(1);
  } else {
    await watcher.watch({ prefix }, onEvent, { initial });
  }
  terminal.note('waiting for changes');
  if (!terminal.interrupted.aborted) await once(terminal.interrupted, 'abort');
  return ExitCode.OK;
}

/** The values that were refused before the command has started, which a new listener receives first. */
function knownRefusals(feeds: Session['feeds']): Set<string> {
  const refused = feeds.flatMap(({ cache }) =>
    cache.knownKeys().map((key) => ({ key, revision: cache.entry(key).rejectedRevision })),
  );
  return new Set(refused.flatMap(({ key, revision }) => (revision === undefined ? [] : identityOf({ key, revision }))));
}

const identityOf = ({ key, revision }: Pick<ConfigRefusal, 'key' | 'revision'>): string => `${revision} ${key}`;

/** `initial` for a key that exists already. */
const verbOf = ({ type, origin }: Pick<WatchEvent, 'type' | 'origin'>): string =>
  origin === 'initial' ? 'initial' : type;

/** A key that is not UTF-8 is shown by its bytes. */
function nameOf({ key, keyBytes }: WatchEvent): string {
  const rawKey = rawKeyOf(keyBytes);
  return hasExactText(rawKey) ? printable(key) : escapedKey(rawKey);
}

function lineOf(change: ConfigChange): string {
  const { key, revision, origin, changedPaths } = change;
  const line = `${verbOf(change)} ${printable(key)} (revision ${revision})`;
  return origin === 'initial' ? line : `${line}: ${changedPaths.map((path) => path || '(document)').join(', ')}`;
}

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
