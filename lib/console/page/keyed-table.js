import { badge, element, setText } from './element.js';
import { stateTone } from './texts.js';

/**
 * A table whose rows are updated in place, so that focus and selection stay. A column has a `heading` and one of:
 * `text(item)`, `state(item)` (a badge) or `content(latest)`, elements that are made once and read the item by
 * `latest()`.
 */
export class KeyedTable {
  #columns;
  #keyOf;
  #rows = new Map();
  #body = element('tbody');
  #empty;
  #scroller;

  constructor({ label, columns, keyOf, empty }) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#empty = element('p', { className: 'hint' }, empty);
    const headings = columns.map(({ heading, isNumber }) =>
      element('th', { scope: 'col', className: isNumber ? 'number' : '' }, heading),
    );
    const table = element('table', {}, element('thead', {}, element('tr', {}, ...headings)), this.#body);
    this.#scroller = element('div', { className: 'scrolls', tabIndex: 0, role: 'region', ariaLabel: label }, table);
    this.element = element('div', {}, this.#empty, this.#scroller);
    this.update([]);
  }

  update(items) {
    this.#empty.hidden = items.length > 0;
    this.#scroller.hidden = items.length === 0;
    const before = this.#rows;
    this.#rows = new Map(items.map((item) => [this.#keyOf(item), before.get(this.#keyOf(item)) ?? this.#rowOf()]));
    let index = 0;
    for (const item of items) {
      const row = this.#rows.get(this.#keyOf(item));
      row.update(item);
      if (this.#body.children[index] !== row.element) this.#body.insertBefore(row.element, this.#body.children[index]);
      index += 1;
    }
    while (this.#body.children.length > index) this.#body.lastElementChild.remove();
  }

  #rowOf() {
    let latest;
    const cells = this.#columns.map(({ text, state, content, isNumber }, index) => {
      const cell = element(index === 0 ? 'th' : 'td', { className: isNumber ? 'number' : '' });
      if (index === 0) cell.scope = 'row';
      if (content) cell.append(...content(() => latest));
      return (item) => {
        latest = item;
        if (text) setText(cell, text(item) ?? '');
        if (state) setState(cell, state(item));
        return cell;
      };
    });
    const row = element('tr');
    return {
      element: row,
      update: (item) => {
        const shown = cells.map((update) => update(item));
        if (row.childElementCount === 0) row.append(...shown);
        row.dispatchEvent(new CustomEvent('item'));
      },
    };
  }
}

function setState(cell, state) {
  if (cell.textContent !== state) cell.replaceChildren(badge(state, stateTone(state)));
}
