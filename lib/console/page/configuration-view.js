import { definitionsOverview, newKeyForm } from './definitions-overview.js';
import { EntryPane } from './entry-pane.js';
import { element } from './element.js';
import { KeyList } from './key-list.js';
import { navigate } from './route.js';

/** The list of keys, and beside it the key that is open. */
export class ConfigurationView {
  #session;
  #ending = new AbortController();
  #list;
  #pane;
  #place = element('section', { className: 'pane', ariaLabel: 'Key' });
  #newKey = element('div');
  #parameters = new URLSearchParams();
  /** A key that the user opens takes the focus. The one of a link that was loaded does not. */
  #wasShown = false;

  constructor(session) {
    this.#session = session;
    this.#list = new KeyList(session, this.#ending.signal);
    this.#list.element.append(this.#newKey);
    this.element = element('div', { className: 'configuration' }, this.#list.element, this.#place);
    session.on('state', () => this.#onState(), this.#ending.signal);
  }

  /** Returns `false` if the user wants to keep an edit that would be lost. */
  show(parameters) {
    const [key, tab, layer] = ['key', 'tab', 'layer'].map((name) => parameters.get(name) ?? undefined);
    const isOther = !this.#pane?.shows(key, tab, layer);
    if (isOther && !this.canLeave()) return false;
    this.#parameters = parameters;
    this.#list.show(parameters);
    this.element.classList.toggle('has-key', key !== undefined);
    if (isOther) this.#open(key, tab, layer);
    this.#wasShown = true;
    this.#onState();
    return true;
  }

  /** Asks the user if there is an edit that was not saved. */
  canLeave() {
    return !this.#pane?.isDirty || window.confirm('Discard the changes that are not saved?');
  }

  get isDirty() {
    return this.#pane?.isDirty === true;
  }

  onShortcut(key) {
    if (key === '/') this.#list.focusSearch();
    if (key === 'Escape' && this.#pane) navigate({ key: undefined, tab: undefined, layer: undefined });
  }

  close() {
    this.#pane?.close();
    this.#ending.abort();
  }

  #open(key, tab, layer) {
    this.#pane?.close();
    this.#pane =
      key === undefined ? undefined : new EntryPane(this.#session, { key, tab, layer, takesFocus: this.#wasShown });
    if (this.#pane) this.#place.replaceChildren(this.#pane.element);
    this.#shownDefinitions = undefined;
  }

  #shownDefinitions;

  #onState() {
    this.#pane?.update();
    if (!this.#session.state) return;
    this.#list.show(this.#parameters);
    const definitions = JSON.stringify([this.#session.clusterName, this.#session.clusterState?.definitions]);
    if (!this.#pane && definitions !== this.#shownDefinitions) {
      this.#shownDefinitions = definitions;
      this.#place.replaceChildren(definitionsOverview(this.#session));
    }
    this.#offerNewKey();
  }

  #offerNewKey() {
    const prefix = this.#parameters.get('definition') ?? '';
    const { definitions = [] } = this.#session.clusterState ?? {};
    const isOffered = this.#session.state.write && definitions.some(({ target }) => target.prefix === prefix);
    if (!isOffered) this.#newKey.replaceChildren();
    else if (this.#newKey.dataset.prefix !== prefix || this.#newKey.childElementCount === 0) {
      this.#newKey.dataset.prefix = prefix;
      this.#newKey.replaceChildren(newKeyForm(prefix));
    }
  }
}
