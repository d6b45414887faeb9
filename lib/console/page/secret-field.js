import { button, element } from './element.js';
import { FieldFrame } from './field-frame.js';
import { MASK } from './json-values.js';

/**
 * A secret. The page never has its current value, which `***` stands for. A new value stays in the input: the document
 * that the page shows has `***` for it.
 */
export class SecretField {
  #input;
  #frame;
  #hasCurrent;
  #toggle;
  #isNumber;

  constructor(value, context) {
    this.#hasCurrent = value === MASK;
    this.#input = element('input', { type: 'password', autocomplete: 'new-password', spellcheck: false });
    this.#toggle = button('', () => this.#onToggle(), { className: 'quiet' });
    this.#frame = new FieldFrame(
      {
        ...context,
        hint: context.mustEnterAgain
          ? 'The item has moved. Enter its secret again.'
          : (context.schema.description ?? ''),
      },
      this.#input,
      { extra: this.#toggle },
    );
    this.element = this.#frame.element;
    this.element.classList.add('secret');
    this.#isNumber = ['integer', 'number'].includes(context.schema.type);
    this.#setEditing(!this.#hasCurrent);
    if (value !== undefined && !this.#hasCurrent) this.#input.value = String(value);
  }

  /** With `withSecrets`, a new value is returned, else `***` in its place. */
  read(withSecrets) {
    if (this.#input.readOnly) return MASK;
    if (this.#input.value === '') return this.#hasCurrent ? MASK : undefined;
    return withSecrets ? this.#entered : MASK;
  }

  showViolations(violations) {
    this.#frame.showViolation(violations.take(this.element.dataset.path));
  }

  get #entered() {
    const { value } = this.#input;
    return this.#isNumber && Number.isFinite(Number(value)) ? Number(value) : value;
  }

  #onToggle() {
    this.#setEditing(this.#input.readOnly);
    if (!this.#input.readOnly) this.#input.focus();
    this.#input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  #setEditing(isEditing) {
    this.#input.readOnly = !isEditing;
    this.#input.type = isEditing ? 'password' : 'text';
    this.#input.value = isEditing ? '' : MASK;
    this.#input.placeholder = isEditing ? (this.#hasCurrent ? 'new value' : 'not set') : '';
    this.#toggle.hidden = !this.#hasCurrent;
    this.#toggle.textContent = isEditing ? 'Keep the current value' : 'Set a new value';
  }
}
