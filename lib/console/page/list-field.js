import { button, element } from './element.js';
import { fieldGroup, reportEdit } from './field-group.js';
import { hasMask, withoutMasks } from './json-values.js';

/** A list, whose items can be added, removed and moved. */
export class ListField {
  #context;
  #fields;
  #list = element('ol', { className: 'items' });
  #add;
  #showOwnViolation;

  constructor(value = [], context) {
    this.#context = context;
    this.#fields = value.map((item, index) => this.#fieldOf(item, index));
    this.#add = button('Add item', () => this.#onAdd(), { className: 'quiet' });
    const { group, showViolation } = fieldGroup(
      { path: context.path, label: context.label || 'Document', schema: context.schema, origin: context.origin },
      [this.#add],
      this.#list,
    );
    this.element = group;
    this.#showOwnViolation = showViolation;
    this.#render();
  }

  read(withSecrets) {
    return this.#fields.map((field) => field.read(withSecrets) ?? null);
  }

  showViolations(violations) {
    if (this.#context.path !== '') this.#showOwnViolation(violations.take(this.#context.path));
    for (const field of this.#fields) field.showViolations(violations);
  }

  #fieldOf(value, index, hasMoved = false) {
    const { form, schema } = this.#context;
    const itemSchema = typeof schema.items === 'object' ? schema.items : {};
    return form.create(value, this.#context.item(index, itemSchema, hasMoved));
  }

  #onAdd() {
    this.#fields.push(this.#fieldOf(undefined, this.#fields.length));
    this.#render();
    reportEdit(this.element);
    this.#focusItem(this.#fields.length - 1);
  }

  /** `order` has the former index of each item. */
  #reorder(order) {
    // A secret is found by its path: in an item that has moved, `***` would stand for the secret of another item.
    const values = this.#fields.map((field) => field.read(true));
    this.#fields = order.map((from, to) => {
      if (from === to) return this.#fields[to];
      const hasMoved = hasMask(values[from]);
      return this.#fieldOf(hasMoved ? withoutMasks(values[from]) : (values[from] ?? undefined), to, hasMoved);
    });
    this.#render();
    reportEdit(this.element);
  }

  #move(index, by) {
    const order = [...this.#fields.keys()];
    [order[index], order[index + by]] = [order[index + by], order[index]];
    this.#reorder(order);
    this.#focusItem(index + by);
  }

  #remove(index) {
    this.#reorder([...this.#fields.keys()].filter((each) => each !== index));
    if (this.#fields.length === 0) this.#add.focus();
    else this.#focusItem(Math.min(index, this.#fields.length - 1));
  }

  #focusItem(index) {
    this.#list.children[index]?.querySelector('input, textarea, select, button:enabled')?.focus();
  }

  #render() {
    const last = this.#fields.length - 1;
    const { maxItems = Infinity } = this.#context.schema;
    const items = this.#fields.map((field, index) => {
      const action = (text, label, onClick, disabled = false) =>
        button(text, onClick, { className: 'quiet', ariaLabel: `${label} item ${index + 1}`, disabled });
      return element(
        'li',
        { className: 'row' },
        field.element,
        element(
          'div',
          { className: 'row-actions' },
          action('↑', 'Move up', () => this.#move(index, -1), index === 0),
          action('↓', 'Move down', () => this.#move(index, 1), index === last),
          action('✕', 'Remove', () => this.#remove(index)),
        ),
      );
    });
    this.#list.replaceChildren(...items);
    this.#add.disabled = this.#fields.length >= maxItems;
  }
}
