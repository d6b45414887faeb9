import { counted } from '../../counted.js';
import { printable } from '../../foreign/foreign-text.js';
import { typeName } from '../../dto/value-type.js';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import type { DefinitionFeed } from '../../store/cache/definition-feed.js';
import { CliError } from '../cli.error.js';
import { type Adapt, feedFor, type Session } from '../session.js';
import { unnamedText } from '../../store/feed-reports.js';
import { styled } from '../style.js';
import { ExitCode, type Terminal } from '../terminal.js';
import { violationLines } from '../violations.js';
import { pretty } from './values.js';

/** One finding of `check`. */
export interface Finding {
  /** The key, or the prefix of a definition without a valid key. */
  readonly key: string;
  readonly problem: 'missing' | 'invalid' | 'unknown';
  readonly type: string;
  /** Paths and constraints; for `unknown`, the properties that the class does not know. */
  readonly violations: readonly ConfigViolation[];
  readonly revision: number | undefined;
}

/** Lets the class refuse what it does not know, so that it can be reported. */
export const refusing: Adapt = (definition) =>
  definition.schema === undefined ? { ...definition, unknown: 'refuse' } : definition;

/**
 * Compares the definitions of an application with etcd. Needs a session whose classes refuse what they do not know.
 * @throws CliError without an application
 */
export function findProblems({ feeds, declared }: Session): Finding[] {
  if (!declared) throw new CliError('check needs --app, the compiled file of the root module');
  return declared.all.flatMap((definition) => {
    const feed = feedFor(definition, feeds);
    if (!feed) return [];
    return [...(definition.required ? missing(feed) : []), ...rejected(feed, definition.unknown === 'refuse')];
  });
}

function missing({ definition, cache }: DefinitionFeed): Finding[] {
  const { target, type } = definition;
  const keys = [...cache.knownKeys()];
  const isPresent = (key: string): boolean => cache.entry(key).state !== 'absent';
  // A required prefix needs one valid key; an invalid key is a finding of its own.
  if (keys.some(isPresent)) return [];
  const key = 'key' in target ? target.key : target.prefix;
  return [{ key, problem: 'missing', type: typeName(type), violations: [], revision: undefined }];
}

function rejected({ definition, cache }: DefinitionFeed, refuses: boolean): Finding[] {
  return [...cache.knownKeys()].sort().flatMap((key): Finding[] => {
    const { violations, rejectedRevision: revision } = cache.entry(key);
    if (!violations) return [];
    const isUnknown = !refuses && violations.every(({ constraints }) => constraints.join() === 'unknown');
    return [{ key, problem: isUnknown ? 'unknown' : 'invalid', type: typeName(definition.type), violations, revision }];
  });
}

/** Prints the findings. Unknown properties are a problem only if `strict` is set: applications ignore them. */
export function printFindings(
  findings: readonly Finding[],
  { feeds }: Session,
  { json, strict }: { readonly json: boolean; readonly strict: boolean },
  terminal: Terminal,
): ExitCode {
  if (json) terminal.out(pretty({ findings }));
  else for (const finding of findings) for (const line of linesOf(finding, terminal)) terminal.out(line);
  for (const { subject, unnamedKey } of feeds) {
    if (unnamedKey !== undefined) terminal.note(unnamedText(subject, unnamedKey));
  }
  const problems = findings.filter(({ problem }) => strict || problem !== 'unknown');
  const keys = feeds.reduce((sum, { cache }) => sum + [...cache.knownKeys()].length, 0);
  const [found, where] = [counted(problems.length, 'problem'), counted(keys, 'key')];
  terminal.note(`${found} in ${where} of ${counted(feeds.length, 'definition')}`);
  return problems.length > 0 ? ExitCode.PROBLEM : ExitCode.OK;
}

function linesOf({ key, problem, type, violations, revision }: Finding, terminal: Terminal): string[] {
  const name = printable(key);
  const head = styled(terminal, problem === 'unknown' ? 'yellow' : 'red', problem);
  if (problem === 'missing') return [`${head}  ${name} (${type})`];
  return [
    `${head}  ${name} (${type}, revision ${revision ?? 0})`,
    ...violationLines(violations).map((line) => `  ${line}`),
  ];
}
