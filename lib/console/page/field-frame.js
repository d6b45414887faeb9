import { constraintText } from './constraint-text.js';
import { element, nextId, setText } from './element.js';

/** Surrounds the input of one property with its label, the origin of its value, a hint and its violations. */
export class FieldFrame {
  #error;
  #control;
  #schema;

  constructor({ path, label, schema, origin, hint = '' }, control, { id = nextId('field'), extra } = {}) {
    this.#control = control;
    this.#schema = schema;
    this.#error = element('p', { id: `${id}-error`, className: 'error', hidden: true });
    const hintElement = element('p', { id: `${id}-hint`, className: 'hint', hidden: hint === '' }, hint);
    control.id = id;
    control.setAttribute('aria-describedby', `${this.#error.id} ${hintElement.id}`);
    this.element = element(
      'div',
      { className: 'field', dataset: { path } },
      element('label', { htmlFor: id }, label),
      element('div', { className: 'control' }, control, extra),
      origin === undefined ? undefined : element('span', { className: 'origin', title: 'Origin of the value' }, origin),
      this.#error,
      hintElement,
    );
  }

  get isInvalid() {
    return this.#control.getAttribute('aria-invalid') === 'true';
  }

  focus() {
    this.#control.focus();
  }

  /** Shows the violations of this property. Removes them if there are none. */
  showViolation(constraints) {
    setText(this.#error, constraints === undefined ? '' : sentence(constraintText(constraints, this.#schema)));
    this.#error.hidden = constraints === undefined;
    if (constraints === undefined) this.#control.removeAttribute('aria-invalid');
    else this.#control.setAttribute('aria-invalid', 'true');
  }
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
