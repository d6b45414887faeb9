import type { ResolvedCoordination } from '../coordination/coordination-options.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import type { ResolvedAudit } from '../store/audit/audit-options.js';
import type { ConfigDefinitions } from '../store/definitions/config-definitions.js';
import { describeTarget, type ResolvedConfigDefinition } from '../store/definitions/resolved-definition.js';

/** The options with prefixes of keys that the library writes. */
interface Reserved {
  readonly markerPrefix: string | undefined;
  readonly coordination: ResolvedCoordination | undefined;
  readonly audit: ResolvedAudit | undefined;
}

/** @throws InvalidOptionsError if the keys of two options would be mixed */
export function checkSeparate(reserved: Reserved): void {
  const prefixes = prefixesOf(reserved);
  for (const [index, first] of prefixes.entries()) {
    const second = prefixes.slice(index + 1).find(({ prefix }) => overlap(prefix, first.prefix));
    if (!second) continue;
    throw new InvalidOptionsError(`"${first.option}" and "${second.option}" overlap: use separate prefixes`);
  }
}

/** @throws InvalidOptionsError if the store would parse keys of the coordination or of the audit as configurations */
export function checkReserved(
  { all }: ConfigDefinitions,
  { coordination, audit }: Omit<Reserved, 'markerPrefix'>,
): void {
  for (const { option, prefix, use } of prefixesOf({ coordination, audit, markerPrefix: undefined })) {
    const overlapping = all.find(
      ({ target, layers = [] }) => overlaps(target, prefix) || layers.some((key) => overlaps({ key }, prefix)),
    );
    if (!overlapping) continue;
    throw new InvalidOptionsError(
      `${describeTarget(overlapping.target)} of a definition overlaps "${option}": use a separate prefix for the ${use}`,
    );
  }
}

interface ReservedPrefix {
  readonly option: string;
  /** With a trailing slash. */
  readonly prefix: string;
  readonly use: string;
}

function prefixesOf({ markerPrefix, coordination, audit }: Reserved): ReservedPrefix[] {
  const all = [
    { option: 'outcomes.prefix', prefix: markerPrefix, use: 'markers' },
    { option: 'coordination.prefix', prefix: coordination && `${coordination.prefix}/`, use: 'coordination' },
    { option: 'audit.prefix', prefix: audit?.prefix, use: 'audit trail' },
  ];
  return all.flatMap(({ option, prefix, use }) => (prefix === undefined ? [] : [{ option, prefix, use }]));
}

const overlaps = (target: ResolvedConfigDefinition['target'], prefix: string): boolean =>
  'key' in target ? target.key.startsWith(prefix) : overlap(target.prefix, prefix);

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);
