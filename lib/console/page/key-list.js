import { api } from './api.js';
import { announce, badge, element, nextId, setText } from './element.js';
import { KeyWindows } from './key-windows.js';
import { navigate } from './route.js';
import { receivedAt, stateTone, timeText } from './texts.js';
import { VirtualList } from './virtual-list.js';

const SEARCH_DELAY_MS = 200;
const REFRESH_MS = 1_000;
const STATES = ['valid', 'invalid', 'absent', 'kept'];

/** The searchable list of all keys. */
export class KeyList {
  #session;
  #search;
  #definition = element('select', { id: 'definition' });
  #state = element('select', { id: 'state' });
  #count = element('p', { className: 'hint count' });
  #error = element('p', { className: 'error', hidden: true });
  #list;
  #windows;
  #filter = '';
  #query = {};
  #isNewFilter = false;
  #chosenKey;
  #searchTimer;
  #refreshTimer;

  constructor(session, signal) {
    this.#session = session;
    this.#search = element('input', { id: 'search', type: 'search', autocomplete: 'off', spellcheck: false });
    this.#search.placeholder = 'part of a key';
    this.#state.append(...['', ...STATES].map((state) => element('option', { value: state }, state || 'any state')));
    this.#list = new VirtualList({
      id: nextId('keys'),
      label: 'Keys',
      render: (index) => rowOf(this.#windows.at(index)),
      onVisible: (first, last) => this.#windows.need(first, last),
      onChoose: (index) => this.#onChoose(this.#windows.at(index)),
    });
    this.#windows = new KeyWindows({
      fetch: (offset, limit, loading) => this.#fetch(offset, limit, loading),
      onLoaded: () => this.#onLoaded(),
      onFailed: (error) => this.#showError(error.message),
    });
    this.element = element(
      'section',
      { className: 'key-list', ariaLabel: 'Keys' },
      element(
        'search',
        { className: 'filters' },
        labelled('Search', this.#search),
        labelled('Definition', this.#definition),
        labelled('State', this.#state),
      ),
      this.#count,
      this.#error,
      this.#list.element,
    );
    this.#listen(signal);
  }

  /** Shows the keys that the route filters, and marks the one that is open. */
  show(parameters) {
    this.#showDefinitions();
    const [search, definition, state] = ['search', 'definition', 'state'].map((name) => parameters.get(name) ?? '');
    if (this.#search.value !== search && document.activeElement !== this.#search) this.#search.value = search;
    this.#definition.value = definition;
    this.#state.value = state;
    this.#chosenKey = parameters.get('key') ?? undefined;
    const filter = JSON.stringify([this.#session.clusterName, search, definition, state]);
    if (filter !== this.#filter) {
      this.#filter = filter;
      this.#query = { cluster: this.#session.clusterName, search, definition, state };
      this.#isNewFilter = true;
      this.#windows.clear();
      this.#list.scrollToStart();
      this.#windows.need(0, 0);
    }
    this.#markChosen();
  }

  focusSearch() {
    this.#search.focus();
    this.#search.select();
  }

  #listen(signal) {
    this.#search.addEventListener('input', () => {
      clearTimeout(this.#searchTimer);
      this.#searchTimer = setTimeout(
        () => navigate({ search: this.#search.value }, { replace: true }),
        SEARCH_DELAY_MS,
      );
    });
    this.#search.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown') this.#list.element.focus();
      if (event.key === 'Escape' && this.#search.value !== '') event.stopPropagation();
    });
    this.#definition.addEventListener('change', () => navigate({ definition: this.#definition.value }));
    this.#state.addEventListener('change', () => navigate({ state: this.#state.value }));
    const refresh = () => (this.#refreshTimer ??= setTimeout(() => this.#refresh(), REFRESH_MS));
    this.#session.on('change', ({ cluster }) => cluster === this.#session.clusterName && refresh(), signal);
    this.#session.on('skipped', refresh, signal);
    this.#session.on('reconnected', refresh, signal);
    signal.addEventListener('abort', () => {
      clearTimeout(this.#refreshTimer);
      clearTimeout(this.#searchTimer);
    });
  }

  #refresh() {
    this.#refreshTimer = undefined;
    this.#windows.renew(...this.#list.range);
  }

  async #fetch(offset, limit, loading) {
    const { total, keys } = await api.keys({ ...this.#query, offset, limit }, loading);
    const now = Date.now();
    return { total, keys: keys.map((key) => ({ ...key, receivedAt: receivedAt(key, now) })) };
  }

  #onLoaded() {
    const { total } = this.#windows;
    const count = total === 1 ? '1 key' : `${total.toLocaleString()} keys`;
    this.#showError('');
    setText(this.#count, count);
    if (this.#isNewFilter) announce(count);
    this.#isNewFilter = false;
    this.#list.length = total;
    this.#markChosen();
  }

  #markChosen() {
    const [first, last] = this.#list.range;
    let chosen = -1;
    for (let index = first; index <= last && chosen < 0; index += 1) {
      if (this.#windows.at(index)?.key === this.#chosenKey && this.#chosenKey !== undefined) chosen = index;
    }
    this.#list.chosen = chosen;
  }

  #onChoose(row) {
    if (row) navigate({ key: row.key, tab: undefined, layer: undefined });
  }

  #showError(message) {
    setText(this.#error, message);
    this.#error.hidden = message === '';
  }

  #showDefinitions() {
    const targets = (this.#session.clusterState?.definitions ?? []).map(({ target }) => target.key ?? target.prefix);
    const known = [...this.#definition.options].slice(1).map(({ value }) => value);
    if (known.length === targets.length && targets.every((target, index) => target === known[index])) return;
    const options = targets.map((target) =>
      element('option', { value: target }, target === '' ? '(all keys)' : target),
    );
    this.#definition.replaceChildren(element('option', { value: '' }, 'all definitions'), ...options);
  }
}

const labelled = (text, control) => element('label', {}, element('span', {}, text), control);

function rowOf(row) {
  if (!row) return [element('span', { className: 'hint' }, 'loading…')];
  const { key, type, state, revision, receivedAt: time, violations } = row;
  const about = [type, state === 'absent' ? undefined : `revision ${revision}`, time && timeText(time)]
    .filter(Boolean)
    .join(' · ');
  const problems = violations > 0 ? `${violations} ${violations === 1 ? 'violation' : 'violations'}` : undefined;
  return [
    element('span', { className: 'key', title: key }, element('bdi', {}, key)),
    badge(problems ?? state, stateTone(state)),
    element('span', { className: 'hint' }, about),
  ];
}
