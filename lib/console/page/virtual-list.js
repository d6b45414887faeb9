import { element } from './element.js';

const ROW_HEIGHT = 44;

/** Browsers limit the height of an element. A longer list is scrolled proportionally. */
const MAX_HEIGHT = 8_000_000;

/** Rows above and below the visible ones. */
const MARGIN = 8;

/**
 * A list box that has only its visible rows in the document, also of a hundred thousand. `render(index)` returns the
 * content of a row; `onVisible(first, last)` is called when other rows become visible.
 */
export class VirtualList {
  #render;
  #onVisible;
  #onChoose;
  #length = 0;
  #active = -1;
  #chosen = -1;
  /** The rows in the document, by index. */
  #rows = new Map();
  #spacer = element('div', { className: 'spacer', role: 'presentation' });
  #id;

  constructor({ id, label, render, onVisible, onChoose }) {
    this.#id = id;
    this.#render = render;
    this.#onVisible = onVisible;
    this.#onChoose = onChoose;
    this.element = element(
      'div',
      { id, className: 'keys', tabIndex: 0, role: 'listbox', ariaLabel: label },
      this.#spacer,
    );
    this.element.addEventListener('scroll', () => this.update());
    this.element.addEventListener('keydown', (event) => this.#onKey(event));
    this.element.addEventListener('focus', () => this.#onFocus());
    new ResizeObserver(() => this.update()).observe(this.element);
  }

  /** The first and the last row to show. */
  get range() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(this.#indexAt(scrollTop)) - MARGIN);
    const count = Math.ceil(clientHeight / ROW_HEIGHT) + 2 * MARGIN;
    return [first, Math.min(this.#length - 1, first + count)];
  }

  set length(length) {
    this.#length = length;
    this.#active = Math.min(this.#active, length - 1);
    this.#spacer.style.height = `${this.#height}px`;
    this.update();
  }

  scrollToStart() {
    this.element.scrollTop = 0;
    this.#active = -1;
  }

  /** Marks the row whose key is shown beside the list; -1 for none. */
  set chosen(index) {
    if (index === this.#chosen) return;
    this.#chosen = index;
    this.update();
  }

  /** Updates the visible rows. A row keeps its element, so that a click or a selection survives an update. */
  update() {
    const [first, last] = this.range;
    if (this.#length > 0) this.#onVisible(first, last);
    const top = this.element.scrollTop - (this.#indexAt(this.element.scrollTop) - first) * ROW_HEIGHT;
    for (const [index, row] of this.#rows) {
      if (index >= first && index <= last) continue;
      row.remove();
      this.#rows.delete(index);
    }
    for (let index = first; index <= last; index += 1) this.#updateRow(index, top + (index - first) * ROW_HEIGHT);
    const isActiveShown = this.#active >= first && this.#active <= last;
    if (isActiveShown) this.element.setAttribute('aria-activedescendant', this.#rowId(this.#active));
    else this.element.removeAttribute('aria-activedescendant');
  }

  #updateRow(index, top) {
    const row = this.#rows.get(index) ?? this.#createRow(index);
    const content = element('div', {}, ...this.#render(index));
    if (row.innerHTML !== content.innerHTML) row.replaceChildren(...content.childNodes);
    row.classList.toggle('active', index === this.#active);
    row.setAttribute('aria-selected', String(index === this.#chosen));
    row.setAttribute('aria-setsize', String(this.#length));
    row.style.transform = `translateY(${top}px)`;
  }

  #createRow(index) {
    const row = element('div', { id: this.#rowId(index), role: 'option', className: 'key-row' });
    row.setAttribute('aria-posinset', String(index + 1));
    row.addEventListener('click', () => {
      this.#active = index;
      this.#onChoose(index);
    });
    const next = [...this.#spacer.children].find((other) => Number(other.ariaPosInSet) > index + 1);
    this.#spacer.insertBefore(row, next ?? null);
    this.#rows.set(index, row);
    return row;
  }

  #rowId = (index) => `${this.#id}-${index}`;

  get #height() {
    return Math.min(this.#length * ROW_HEIGHT, MAX_HEIGHT);
  }

  #indexAt(scrollTop) {
    const { clientHeight } = this.element;
    const scrollable = this.#height - clientHeight;
    if (this.#length * ROW_HEIGHT <= MAX_HEIGHT || scrollable <= 0) return scrollTop / ROW_HEIGHT;
    return (scrollTop / scrollable) * (this.#length - clientHeight / ROW_HEIGHT);
  }

  #scrollTopOf(index) {
    if (this.#length * ROW_HEIGHT <= MAX_HEIGHT) return index * ROW_HEIGHT;
    const { clientHeight } = this.element;
    return (index / (this.#length - clientHeight / ROW_HEIGHT)) * (this.#height - clientHeight);
  }

  #onFocus() {
    if (this.#active < 0 && this.#length > 0) this.#activate(Math.max(this.#chosen, Math.ceil(this.range[0])));
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.#activate(this.#active + steps[event.key]);
    else if ((event.key === 'Enter' || event.key === ' ') && this.#active >= 0) this.#onChoose(this.#active);
    else return;
    event.preventDefault();
  }

  #activate(index) {
    this.#active = Math.max(0, Math.min(this.#length - 1, index));
    const { element: list } = this;
    const [top, visible] = [this.#indexAt(list.scrollTop), list.clientHeight / ROW_HEIGHT];
    if (this.#active < top) list.scrollTop = this.#scrollTopOf(this.#active);
    else if (this.#active > top + visible - 1) list.scrollTop = this.#scrollTopOf(this.#active - visible + 1);
    this.update();
  }
}
