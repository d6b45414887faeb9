import { button, element } from './element.js';
import { fieldGroup, reportEdit } from './field-group.js';
import { objectOf } from './json-values.js';

/** An object with names that the user chooses. */
export class MapField {
  #context;
  #entries;
  #list = element('div');
  #name;
  #showOwnViolation;

  constructor(value = {}, context) {
    this.#context = context;
    this.#entries = Object.entries(value).map(([name, each]) => this.#entryOf(name, each));
    this.#name = element('input', {
      type: 'text',
      placeholder: 'name',
      autocomplete: 'off',
      spellcheck: false,
      ariaLabel: `Name of a new entry of ${context.label || 'the document'}`,
    });
    // The name of an entry that does not exist is no change of the document.
    this.#name.addEventListener('input', (event) => event.stopPropagation());
    this.#name.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      this.#add();
    });
    const actions = [this.#name, button('Add entry', () => this.#add(), { className: 'quiet' })];
    const { group, showViolation } = fieldGroup({ ...labelled(context) }, actions, this.#list);
    this.element = group;
    this.#showOwnViolation = showViolation;
    this.#render();
  }

  read(withSecrets) {
    return objectOf(this.#entries.map(({ name, field }) => [name, field.read(withSecrets)]));
  }

  showViolations(violations) {
    if (this.#context.path !== '') this.#showOwnViolation(violations.take(this.#context.path));
    for (const { field } of this.#entries) field.showViolations(violations);
  }

  #entryOf(name, value) {
    const { additionalProperties } = this.#context.schema;
    const schema = typeof additionalProperties === 'object' ? additionalProperties : {};
    const field = this.#context.form.create(value, this.#context.property(name, schema, false));
    return { name, field };
  }

  #add() {
    const name = this.#name.value;
    const known = this.#entries.find((entry) => entry.name === name);
    if (name === '') return this.#name.focus();
    if (!known) {
      this.#entries.push(this.#entryOf(name, undefined));
      this.#render();
      reportEdit(this.element);
    }
    this.#name.value = '';
    const added = known ?? this.#entries.at(-1);
    added.field.element.querySelector('input, textarea, select, button')?.focus();
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((each) => each !== entry);
    this.#render();
    reportEdit(this.element);
    this.#name.focus();
  }

  #render() {
    const rows = this.#entries.map((entry) => {
      const remove = button('Remove', () => this.#remove(entry), {
        className: 'quiet',
        ariaLabel: `Remove ${entry.name}`,
      });
      return element('div', { className: 'row' }, entry.field.element, remove);
    });
    this.#list.replaceChildren(...rows);
  }
}

const labelled = ({ path, label, schema, origin }) => ({ path, label: label || 'Document', schema, origin });
