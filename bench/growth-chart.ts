/** Costs of one kind of work at several sizes. */
export interface Curve {
  readonly title: string;
  readonly points: readonly { readonly size: number; readonly cpuSeconds: number }[];
}

const WIDTH = 190;
const HEIGHT = 150;
const MARGIN = 34;

/** Draws a row of log-log charts. A linear cost is parallel to the dashed line; no cost may grow faster. */
export function growthChart(curves: readonly Curve[]): string {
  const charts = curves.map(
    (curve, index) => `<g transform="translate(${index * (WIDTH + MARGIN)},0)">${chart(curve)}</g>`,
  );
  const width = curves.length * (WIDTH + MARGIN) + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT + 64}" font-family="system-ui, sans-serif" font-size="11" fill="#64748b" role="img" aria-label="CPU seconds over the size of the work, both logarithmic">${charts.join('')}</svg>\n`;
}

function chart({ title, points }: Curve): string {
  const costs = points.map(({ cpuSeconds }) => Math.log10(cpuSeconds));
  const sizes = points.map(({ size }) => Math.log10(size));
  const [left = 0, right = 1] = [sizes[0], sizes.at(-1)];
  const bottom = Math.floor(Math.min(...costs));
  const top = Math.max(Math.ceil(Math.max(...costs)), bottom + right - left);
  const x = (size: number): number => MARGIN + ((size - left) / (right - left)) * (WIDTH - MARGIN);
  const y = (cost: number): number => 24 + HEIGHT - ((cost - bottom) / (top - bottom)) * HEIGHT;
  const line = costs.map((cost, index) => `${x(sizes[index] ?? 0).toFixed(1)},${y(cost).toFixed(1)}`).join(' ');
  const last = costs.at(-1) ?? 0;
  const linear = `x1="${x(left)}" y1="${y(last - (right - left)).toFixed(1)}" x2="${x(right)}" y2="${y(last).toFixed(1)}"`;
  const ticks = points.map(
    ({ size }, index) =>
      `<text x="${x(sizes[index] ?? 0).toFixed(1)}" y="${HEIGHT + 40}" text-anchor="middle">${short(size)}</text>`,
  );
  const dots = line
    .split(' ')
    .map((point) => point.split(','))
    .map(([cx = '', cy = '']) => `<circle cx="${cx}" cy="${cy}" r="3" fill="#0f766e"/>`);
  return `<clipPath id="c${title.replace(/\W/g, '')}"><rect x="${MARGIN - 4}" y="20" width="${WIDTH - MARGIN + 8}" height="${HEIGHT + 8}"/></clipPath><text x="${MARGIN}" y="12">${title}</text><line ${linear} stroke="#94a3b8" stroke-dasharray="3 3" clip-path="url(#c${title.replace(/\W/g, '')})"/><polyline points="${line}" fill="none" stroke="#0f766e" stroke-width="2"/>${dots.join('')}${ticks.join('')}<text x="${MARGIN - 6}" y="${y(top) + 4}" text-anchor="end">${seconds(top)}</text><text x="${MARGIN - 6}" y="${y(bottom)}" text-anchor="end">${seconds(bottom)}</text>`;
}

const short = (size: number): string =>
  size >= 1e6 ? `${size / 1e6}M` : size >= 1e3 ? `${size / 1e3}k` : String(size);
const seconds = (exponent: number): string =>
  `${10 ** exponent >= 1 ? 10 ** exponent : (10 ** exponent).toFixed(Math.max(0, -exponent))} s`;
