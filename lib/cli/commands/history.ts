import { changedPaths } from '../../dto/document-diff.js';
import { quoted } from '../../foreign/foreign-text.js';
import type { DefinitionFeed } from '../../store/cache/definition-feed.js';
import type { ConfigRevision } from '../../store/writing/config-history.js';
import type { Session } from '../session.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { violationLines } from '../violations.js';
import { pretty, type ShownAs, shownValue } from './values.js';

/** Prints the values of a key that etcd still has, newest first, and what each has changed. */
export async function history(
  { store, feedOf }: Session,
  key: string,
  { limit, ...shownAs }: ShownAs & { readonly limit: number },
  terminal: Terminal,
): Promise<ExitCode> {
  const feed = feedOf(key);
  // One more, because the oldest one shows a change, too.
  const revisions = await store.history(key, { limit: limit + 1 });
  const shown = revisions.slice(0, limit).map((revision, index) => ({
    revision: revision.revision,
    ...(revision.violations && { violations: revision.violations }),
    value: revision.value && shownValue(feed, revision.value, shownAs),
    change: describeChange(feed, revision, revisions[index + 1]),
  }));
  if (shownAs.json) {
    terminal.out(pretty({ key, revisions: shown }));
  } else {
    for (const { revision, violations, value, change } of shown) {
      terminal.out(`revision ${revision}: ${change}`);
      for (const line of violations ? violationLines(violations) : pretty(value).split('\n')) terminal.out(`  ${line}`);
    }
  }
  if (shown.length > 0) return ExitCode.OK;
  terminal.note(`etcd has no value of ${quoted(key)}`);
  return ExitCode.PROBLEM;
}

function describeChange(
  { parser }: DefinitionFeed,
  { value }: ConfigRevision<object>,
  before: ConfigRevision<object> | undefined,
): string {
  if (!value) return 'invalid';
  if (!before) return 'the oldest value';
  if (!before.value) return 'valid again';
  // The paths of secrets are shown, too, so their values are compared without the mask.
  const paths = changedPaths(parser.plainOf(before.value, 'class'), parser.plainOf(value, 'class'));
  return paths.length === 0 ? 'no change' : `changed ${paths.map((path) => path || '(document)').join(', ')}`;
}
