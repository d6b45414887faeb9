import { element, setText } from './element.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 240;
const HEIGHT = 56;

/** Seconds that a plot shows. */
export const PLOT_SECONDS = 120;

/** A small plot of one or two series of the last two minutes. */
export class Plot {
  #series;
  #lines;
  #now = element('strong');
  #max = element('span', { className: 'hint' });
  #svg;
  #title;

  #unit;

  /** `series` is a list of `{ name, className }`. `unit` follows the largest value. */
  constructor(title, series, unit = 'a second') {
    this.#title = title;
    this.#unit = unit;
    this.#series = series;
    this.#svg = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.#lines = series.map(({ className }) => svg('polyline', { class: className, fill: 'none' }));
    this.#svg.append(
      svg('line', { class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }),
      ...this.#lines,
    );
    this.element = element(
      'figure',
      { className: 'plot' },
      element('figcaption', {}, title, ' ', this.#now),
      this.#svg,
      this.#max,
    );
    this.update(series.map(() => []));
  }

  /** Shows the values of each series, oldest first, one a second. */
  update(values) {
    const max = Math.max(1, ...values.flat());
    this.#lines.forEach((line, index) => line.setAttribute('points', pointsOf(values[index], max)));
    const now = values
      .map((each, index) => `${rateText(each.at(-1) ?? 0)} ${this.#series[index].name}`.trim())
      .join(', ');
    setText(this.#now, now);
    setText(this.#max, `last 2 min, at most ${rateText(max)} ${this.#unit}`);
    this.#svg.setAttribute('aria-label', `${this.#title} ${now}`);
  }
}

const pointsOf = (values, max) =>
  values
    .map((value, index) => {
      const x = WIDTH - (values.length - 1 - index) * (WIDTH / (PLOT_SECONDS - 1));
      return `${x.toFixed(1)},${(HEIGHT - 2 - (value / max) * (HEIGHT - 6)).toFixed(1)}`;
    })
    .join(' ');

const rateText = (rate) => (rate < 10 && !Number.isInteger(rate) ? rate.toFixed(1) : Math.round(rate).toLocaleString());

function svg(name, attributes) {
  const created = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  return created;
}
