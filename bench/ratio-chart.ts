import { goalOf, isMet, number, type Row } from './report.js';

const LABELS = 450;
const BARS = 250;
const LINE = 26;

/** Draws all ratios with a goal: first those where more is better, then the others. The dashed line is the peer. */
export function ratioChart(rows: readonly Row[]): string {
  const rowsWithGoal = rows.filter(({ ratio, goal }) => ratio !== undefined && goal);
  const panels = [
    { title: 'times the peer: more is better', rows: rowsWithGoal.filter(({ goal }) => goal && 'atLeast' in goal) },
    { title: 'panels of the peer: less is better', rows: rowsWithGoal.filter(({ goal }) => goal && 'atMost' in goal) },
  ];
  let y = 0;
  const drawn = panels.map((each) => {
    const chart = `<g transform="translate(0,${y})">${panel(each)}</g>`;
    y += each.rows.length * LINE + 44;
    return chart;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABELS + BARS + 130} ${y}" font-family="system-ui, sans-serif" font-size="12" fill="#64748b" role="img" aria-label="Ratios to peers measured in the same run">${drawn.join('')}</svg>\n`;
}

function panel({ title, rows }: { readonly title: string; readonly rows: readonly Row[] }): string {
  const largest = Math.max(1, ...rows.map(({ ratio = 0 }) => ratio));
  const scale = BARS / largest;
  const one = LABELS + 10 + scale;
  const bars = rows.map((row, index) => {
    const { work, figure, peerName = '', ratio = 0 } = row;
    const y = 24 + index * LINE;
    const width = Math.max(1, ratio * scale);
    const color = isMet(row) ? '#0f766e' : '#b45309';
    return `<text x="${LABELS}" y="${y + 13}" text-anchor="end">${escape(`${work}, ${figure}, to ${peerName}`)}</text><rect x="${LABELS + 10}" y="${y}" width="${width.toFixed(1)}" height="18" fill="${color}"/><text x="${(LABELS + 16 + width).toFixed(1)}" y="${y + 13}">${number(ratio)} (${escape(goalOf(row))})</text>`;
  });
  return `<text x="${LABELS + 10}" y="14" font-weight="bold">${title}</text>${bars.join('')}<line x1="${one.toFixed(1)}" x2="${one.toFixed(1)}" y1="20" y2="${24 + rows.length * LINE}" stroke="#94a3b8" stroke-dasharray="3 3"/>`;
}

const escape = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
