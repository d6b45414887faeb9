import { readFileSync } from 'node:fs';

export type Policy = 'fail-fast' | 'wait' | 'degraded';

/** One cell of the table in docs/starting.md. */
export interface BootCell {
  readonly etcd: string;
  readonly policy: Policy;
  /** `ready`, `stale` or `degraded` when it starts; else the reason of every problem. */
  readonly outcome: string;
  readonly starts: boolean;
  readonly atTheLimit: boolean;
}

/** What docs/starting.md promises for every policy in every situation. */
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
  const [head = [], , ...body] = rows;
  const policies = head.slice(1).map((name) => name.replaceAll('`', '') as Policy);
  return body.flatMap(([etcd = '', ...cells]) =>
    cells.map((cell, index) => cellOf(etcd.replace(/:.*/, ''), policies[index] as Policy, cell)),
  );
}

function cellOf(etcd: string, policy: Policy, text: string): BootCell {
  const found = /^(?:BootError \((\w+)\)|(\w+))(, at the limit)?$/.exec(text);
  if (!found) throw new Error(`docs/starting.md: "${text}" says no outcome`);
  const [, reason, status = '', limit] = found;
  return { etcd, policy, outcome: reason ?? status, starts: reason === undefined, atTheLimit: limit !== undefined };
}
