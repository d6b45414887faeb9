import { readFileSync } from 'node:fs';

export type Policy = 'fail-fast' | 'wait' | 'degraded';

/** The state of the snapshot file at startup. */
export type SnapshotState = 'present' | 'absent' | 'corrupt' | 'of another cluster';

/** One cell of the table in docs/starting.md, for one of the snapshot states of its row. */
export interface BootCell {
  readonly etcd: string;
  readonly snapshot: SnapshotState;
  readonly policy: Policy;
  /** `ready`, `stale` or `degraded` if the application starts, otherwise the reason of all its problems. */
  readonly outcome: string;
  readonly starts: boolean;
  readonly fromSnapshot: boolean;
  readonly atTheLimit: boolean;
}

const SNAPSHOTS: Readonly<Record<string, readonly SnapshotState[]>> = {
  any: ['present', 'absent', 'corrupt', 'of another cluster'],
  usable: ['present'],
  none: ['absent', 'corrupt', 'of another cluster'],
};

/** Reads the table in docs/starting.md: the outcome of every policy in every situation. */
export function bootTable(): BootCell[] {
  const rows = readFileSync('docs/starting.md', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const [[, , ...policies] = [], , ...body] = rows;
  return body.flatMap(([etcd = '', snapshot = '', ...cells]) =>
    (SNAPSHOTS[snapshot] ?? []).flatMap((state) =>
      cells.map((cell, index) => ({
        etcd: etcd.replace(/:.*/, ''),
        snapshot: state,
        policy: (policies[index] ?? '').replaceAll('`', '') as Policy,
        ...outcomeOf(cell),
      })),
    ),
  );
}

function outcomeOf(text: string): Pick<BootCell, 'outcome' | 'starts' | 'fromSnapshot' | 'atTheLimit'> {
  const match = /^(?:BootError \((\w+)\)|(\w+))(, from the snapshot)?(, at the limit)?$/.exec(text);
  if (!match) throw new Error(`docs/starting.md: "${text}" is not an outcome`);
  const [, reason, status = '', snapshot, limit] = match;
  return {
    outcome: reason ?? status,
    starts: reason === undefined,
    fromSnapshot: snapshot !== undefined,
    atTheLimit: limit !== undefined,
  };
}
