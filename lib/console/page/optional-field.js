import { button, element } from './element.js';
import { reportEdit } from './field-group.js';
import { constraintText } from './constraint-text.js';

/** An optional object or list, which the user can add and remove as a whole. */
export class OptionalField {
  /** The field of the value; `undefined` while the property is absent. */
  #field;
  #context;
  #create;
  #error = element('p', { className: 'error', hidden: true });

  constructor(value, context, create) {
    this.#context = context;
    this.#create = create;
    this.element = element('div', { className: 'optional' });
    this.#show(value);
  }

  read(withSecrets) {
    return this.#field?.read(withSecrets);
  }

  showViolations(violations) {
    if (this.#field) {
      this.#field.showViolations(violations);
      return;
    }
    const constraints = violations.take(this.#context.path);
    this.#error.hidden = constraints === undefined;
    this.#error.textContent = constraints === undefined ? '' : `${constraintText(constraints, this.#context.schema)}.`;
  }

  #change(value) {
    this.#show(value);
    reportEdit(this.element);
    this.element.querySelector('input, textarea, select, button')?.focus();
  }

  /** `null` is an empty value, `undefined` an absent one. */
  #show(value) {
    const { path, label } = this.#context;
    if (value === undefined) {
      this.#field = undefined;
      const name = element('span', { className: 'label' }, label);
      const add = button('Add', () => this.#change(null), { className: 'quiet', ariaLabel: `Add ${label}` });
      const control = element('div', { className: 'control' }, element('span', { className: 'hint' }, 'not set'), add);
      this.element.replaceChildren(
        element('div', { className: 'field', dataset: { path } }, name, control, this.#error),
      );
      return;
    }
    this.#field = this.#create(value ?? undefined);
    const remove = button(`Remove ${label}`, () => this.#change(undefined), { className: 'quiet' });
    const actions = this.#field.element.querySelector(':scope > .actions') ?? element('div', { className: 'actions' });
    actions.append(remove);
    this.#field.element.append(actions);
    this.element.replaceChildren(this.#field.element);
  }
}
