import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { markdownTable } from '../../bench/report.js';
import { readResults } from '../../bench/results.js';

describe('docs/performance.md', () => {
  it('shows the figures of the last complete runs', () => {
    const rows = readResults().flatMap((result) => result.rows);

    expect(rows.length).toBeGreaterThan(0);
    expect(readFileSync('docs/performance.md', 'utf8')).toContain(markdownTable(rows));
  });

  it.each(['docs/performance.md', 'README.md'])('%s shows charts that exist', (file) => {
    const charts = [...readFileSync(file, 'utf8').matchAll(/\((?:\.\.\/)?(bench\/results\/[^)]*\.svg)\)/g)];

    expect(charts.length).toBeGreaterThan(0);
    for (const [, path = ''] of charts) expect(existsSync(path), path).toBe(true);
  });
});
