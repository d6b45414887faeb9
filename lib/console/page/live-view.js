import { element } from './element.js';
import { GroupsSection } from './groups-section.js';
import { HandlersSection } from './handlers-section.js';
import { KeyedTable } from './keyed-table.js';
import { TABLES } from './live-tables.js';
import { Plot } from './plot.js';

/** Shows the rates, changes, handlers and groups of the application, and the state that its instances share. */
export class LiveView {
  #session;
  #rates;
  #ending = new AbortController();
  #timer;
  #events = new Plot('Events a second:', [{ name: '', className: 'first' }]);
  #handlers = new Plot('Handlers a second:', [
    { name: 'calls', className: 'first' },
    { name: 'failures', className: 'second' },
  ]);
  #latency = new Plot('Handler latency:', [{ name: 'ms', className: 'first' }], 'ms');
  #sections;
  #problems = element('ul', { className: 'notice', hidden: true });
  isDirty = false;

  constructor(session, { rates, stream }) {
    this.#session = session;
    this.#rates = rates;
    this.#sections = [
      new HandlersSection(session),
      new GroupsSection(session),
      ...TABLES.map((table) => tableSection(session, table)),
    ];
    const plots = element(
      'section',
      { className: 'plots', ariaLabel: 'Rates' },
      this.#events.element,
      this.#handlers.element,
      this.#latency.element,
    );
    this.element = element(
      'div',
      { className: 'live' },
      this.#problems,
      plots,
      stream.element,
      ...this.#sections.map((section) => section.element),
    );
    session.on('state', () => this.#update(), this.#ending.signal);
    this.#timer = setInterval(() => this.#plot(), 1_000);
    this.#update();
    this.#plot();
  }

  show() {
    this.#update();
    return true;
  }

  canLeave = () => true;
  onShortcut() {}

  close() {
    clearInterval(this.#timer);
    this.#ending.abort();
  }

  #update() {
    const { clusterState } = this.#session;
    if (!clusterState) return;
    const failing = clusterState.failing.map((name) => `The delivery to ${name} fails and is retried.`);
    const sentences = [...(clusterState.coordination?.problems ?? []), ...failing];
    if (this.#problems.childElementCount !== sentences.length || this.#problems.textContent !== sentences.join('')) {
      this.#problems.replaceChildren(...sentences.map((sentence) => element('li', {}, sentence)));
    }
    this.#problems.hidden = sentences.length === 0;
    for (const section of this.#sections) section.update();
  }

  #plot() {
    const { events, calls, failures, latency } = this.#rates.samples;
    this.#events.update([events]);
    this.#handlers.update([calls, failures]);
    this.#latency.update([latency]);
  }
}

function tableSection(session, { title, isWide = false, items, ...options }) {
  const table = new KeyedTable({ label: title, ...options });
  return {
    element: element('section', { className: isWide ? 'wide' : '' }, element('h2', {}, title), table.element),
    update: () => table.update(items(session.clusterState) ?? []),
  };
}
