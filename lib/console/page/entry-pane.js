import { api, isAbort } from './api.js';
import { announce, button, element, setText } from './element.js';
import { entryHeader } from './entry-header.js';
import { EntryView } from './entry-view.js';
import { HistoryView } from './history-view.js';
import { currentRoute, navigate, routeTo } from './route.js';

/** One open key: what is known of it, and a tab to edit it or to read its history. Follows its changes. */
export class EntryPane {
  #session;
  #key;
  #tab;
  #layer;
  #view;
  #takesFocus;
  #entry;
  #pendingMessage = '';
  #loading = new AbortController();
  #ending = new AbortController();
  #content = element('div');
  #message = element('p', { className: 'good-message', role: 'status' });
  #error = element('p', { className: 'error', hidden: true });
  element;

  constructor(session, { key, tab, layer, takesFocus }) {
    this.#takesFocus = takesFocus;
    this.#session = session;
    this.#key = key;
    this.#tab = tab;
    this.#layer = layer;
    const back = button('← All keys', () => navigate({ key: undefined, tab: undefined, layer: undefined }), {
      className: 'quiet back',
    });
    this.element = element('div', {}, back, this.#message, this.#error, this.#content);
    const { signal } = this.#ending;
    session.on('change', (change) => this.#onChange(change), signal);
    session.on('reconnected', () => this.#onMaybeNewer(), signal);
    session.on('skipped', () => this.#onMaybeNewer(), signal);
    void this.#load();
  }

  shows(key, tab, layer) {
    return key === this.#key && tab === this.#tab && layer === this.#layer;
  }

  get isDirty() {
    return this.#view?.isDirty === true;
  }

  update() {
    if (!this.#entry && this.#session.isConnected && !this.#error.hidden) void this.#load();
    this.#view?.update();
  }

  close() {
    this.#view?.close();
    this.#loading.abort();
    this.#ending.abort();
  }

  /** Loads the entry, and then shows a message. A later call replaces the loading, and keeps the message. */
  async #load(message = this.#pendingMessage) {
    this.#pendingMessage = message;
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    try {
      this.#show(await this.#read(signal), message);
    } catch (error) {
      if (isAbort(error)) return;
      setText(this.#error, error.message);
      this.#error.hidden = false;
    }
  }

  #read(signal) {
    return api.entry(
      {
        cluster: currentRoute().parameters.get('cluster') ?? this.#session.clusterName,
        key: this.#key,
        layer: this.#layer,
      },
      signal,
    );
  }

  #show(entry, message) {
    const isFirst = this.#entry === undefined;
    this.#entry = entry;
    this.#error.hidden = true;
    this.#pendingMessage = '';
    setText(this.#message, message);
    if (message !== '') announce(message);
    this.#view?.close();
    const onWritten = (text) => void this.#load(text);
    const View = this.#tab === 'history' ? HistoryView : EntryView;
    this.#view = new View(this.#session, entry, { layer: this.#layer, onWritten });
    this.#content.replaceChildren(entryHeader(entry), this.#tabs(entry), this.#view.element);
    if (isFirst && this.#takesFocus) this.#content.querySelector('#entry-title').focus({ preventScroll: true });
  }

  #tabs({ layers = [] }) {
    const { parameters } = currentRoute();
    const link = (text, changes, isCurrent) => {
      const href = routeTo('configuration', { ...Object.fromEntries(parameters), ...changes });
      return element('a', { href, attributes: isCurrent ? { 'aria-current': 'page' } : {} }, text);
    };
    const isEdit = this.#tab !== 'history';
    const layerLinks = layers.map((layer) => {
      const name = layer.key ?? layer;
      return link(name, { tab: undefined, layer: name }, isEdit && this.#layer === name);
    });
    return element(
      'nav',
      { className: 'tabs', ariaLabel: 'Key' },
      link(layers.length > 0 ? 'Merged' : 'Edit', { tab: undefined, layer: undefined }, isEdit && !this.#layer),
      ...layerLinks,
      link('History', { tab: 'history', layer: undefined }, !isEdit),
    );
  }

  #onChange({ cluster, key, revision }) {
    const keys = [this.#key, ...(this.#entry?.layers ?? []).map((layer) => layer.key ?? layer)];
    if (cluster === this.#entry?.cluster && keys.includes(key) && revision > this.#entry.headRevision) {
      this.#onOther(revision);
    }
  }

  /** After missed events, the revision shows if the key has changed. */
  async #onMaybeNewer() {
    try {
      const { headRevision } = await this.#read(this.#ending.signal);
      if (this.#entry && headRevision !== this.#entry.headRevision) this.#onOther(headRevision);
    } catch {
      // The next change or reconnection tries again.
    }
  }

  #onOther(revision) {
    if (this.isDirty) this.#view.showNewer(revision);
    else void this.#load(this.#pendingMessage || this.#message.textContent);
  }
}
