import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { markdownTable, type Row } from '../../bench/report.js';

const RESULTS = 'bench/results/results.json';

describe('the performance guide', () => {
  it('shows the figures of the last whole run', () => {
    const { rows } = JSON.parse(readFileSync(RESULTS, 'utf8')) as { readonly rows: Row[] };

    expect(readFileSync('docs/performance.md', 'utf8')).toContain(markdownTable(rows));
  });

  it.each(['docs/performance.md', 'README.md'])('%s shows charts that are there', (file) => {
    const charts = [...readFileSync(file, 'utf8').matchAll(/\((?:\.\.\/)?(bench\/results\/[^)]*\.svg)\)/g)];

    expect(charts.length).toBeGreaterThan(0);
    for (const [, path = ''] of charts) expect(existsSync(path), path).toBe(true);
  });
});
