import { badge, button, element } from './element.js';
import { routeTo } from './route.js';
import { timeText } from './texts.js';

const MAX_ENTRIES = 100;

/** The latest changes, newest first. Kept while another view is shown. */
export class ChangeStream {
  #session;
  #entries = [];
  #isPaused = false;
  #isPending = false;
  #list = element('ol', { className: 'stream', tabIndex: 0, ariaLabel: 'Changes' });
  #empty = element('p', { className: 'hint' }, 'No changes since the page was opened.');
  #pause = button('Pause', () => this.#onPause(), { className: 'quiet' });

  constructor(session) {
    this.#session = session;
    session.on('change', (change) => this.#add(change));
    session.on('skipped', ({ count }) => this.#add({ skipped: count }));
    this.element = element(
      'section',
      { className: 'changes-section' },
      element('div', { className: 'title' }, element('h2', { id: 'changes-title' }, 'Changes'), this.#pause),
      this.#empty,
      this.#list,
    );
    this.element.setAttribute('aria-labelledby', 'changes-title');
    this.#render();
  }

  #add(change) {
    this.#entries = [{ ...change, at: change.at ?? new Date().toISOString() }, ...this.#entries].slice(0, MAX_ENTRIES);
    if (this.#isPending) return;
    this.#isPending = true;
    // One rendering for a burst of changes.
    requestAnimationFrame(() => {
      this.#isPending = false;
      if (!this.#isPaused) this.#render();
    });
  }

  #onPause() {
    this.#isPaused = !this.#isPaused;
    this.#pause.textContent = this.#isPaused ? 'Resume' : 'Pause';
    if (!this.#isPaused) this.#render();
  }

  #render() {
    this.#empty.hidden = this.#entries.length > 0;
    this.#list.hidden = this.#entries.length === 0;
    this.#list.replaceChildren(...this.#entries.map((entry) => this.#itemOf(entry)));
  }

  #itemOf({ skipped, cluster, key, type, revision, origin, changedPaths = [], violations, at }) {
    const time = element('time', { dateTime: at, className: 'hint' }, timeText(at));
    if (skipped !== undefined) return element('li', {}, time, ` ${skipped} more changes are not shown`);
    const paths = changedPaths.filter((path) => path !== '');
    const href = routeTo('configuration', { cluster, key });
    const name = element('a', { href }, element('bdi', {}, key));
    const tone = { deleted: 'bad', refused: 'bad', healed: 'good' }[type] ?? 'neutral';
    const about = [`revision ${revision}`, origin].filter(Boolean).join(', ');
    const details = violations?.map(({ path, constraints }) => `${path} (${constraints.join(', ')})`) ?? paths;
    return element(
      'li',
      {},
      time,
      ' ',
      name,
      ' ',
      badge(type, tone),
      element('span', { className: 'hint' }, ` ${about}`),
      details.length > 0 && element('div', { className: 'paths' }, details.join(', ')),
    );
  }
}
