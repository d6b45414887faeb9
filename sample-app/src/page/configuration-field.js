import { element, setText } from './element.js';

/** Texts for class-validator's constraints, most specific first. Other constraints are shown by name. */
const CONSTRAINT_TEXTS = {
  isInt: 'a whole number',
  isNumber: 'a number',
  isString: 'text',
  isBoolean: 'true or false',
  isNotEmpty: 'not empty',
  min: 'at least its minimum',
  max: 'at most its maximum',
};

/** One property: its input, its validation error, and the application's current value while it is being edited. */
export class ConfigurationField {
  #input;
  #error;
  #hint;
  #kind;
  #current;

  constructor(id, property, value, isSecret) {
    this.#kind = isSecret ? 'secret' : typeof value;
    this.#error = element('p', { id: `${id}-error`, className: 'error', hidden: true });
    this.#hint = element('p', { id: `${id}-hint`, className: 'hint', hidden: true });
    this.#input = element('input', {
      id,
      name: property,
      type: { secret: 'password', boolean: 'checkbox' }[this.#kind] ?? 'text',
      inputMode: this.#kind === 'number' ? 'numeric' : '',
      placeholder: isSecret ? 'unchanged' : '',
      autocomplete: isSecret ? 'new-password' : 'off',
      spellcheck: false,
    });
    this.#input.setAttribute('aria-describedby', `${this.#error.id} ${this.#hint.id}`);
    this.#input.addEventListener('input', () => this.#updateHint());
    const label = element('label', { htmlFor: id }, property);
    this.element = element('div', { className: 'field' }, label, this.#input, this.#error, this.#hint);
  }

  get isEdited() {
    return this.#current !== undefined && this.#entered !== this.#current;
  }

  /** The value to write. Text in a number field is sent as text, so that the application validates it. */
  get value() {
    const entered = this.#entered;
    const isNumber = this.#kind === 'number' && entered.trim() !== '' && Number.isFinite(Number(entered));
    return isNumber ? Number(entered) : entered;
  }

  get isInvalid() {
    return this.#input.getAttribute('aria-invalid') === 'true';
  }

  focus() {
    this.#input.focus();
  }

  show(value) {
    const wasEdited = this.isEdited;
    this.#current = this.#kind === 'secret' ? '' : this.#kind === 'boolean' ? value : String(value);
    if (!wasEdited) this.#enter(this.#current);
    this.#updateHint();
  }

  /** The entered value has become the application's current value. */
  onSaved() {
    if (this.#kind === 'secret') this.#enter('');
    else this.#current = this.#entered;
    this.#updateHint();
  }

  showViolation(constraints) {
    const names = constraints?.toSorted((one, other) => rank(one) - rank(other));
    const text = names?.map((name) => CONSTRAINT_TEXTS[name] ?? name).join(', ');
    setText(this.#error, text ? `must be ${text}` : '');
    this.#error.hidden = !text;
    if (text) this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
  }

  get #entered() {
    return this.#kind === 'boolean' ? this.#input.checked : this.#input.value;
  }

  #enter(value) {
    if (this.#kind === 'boolean') this.#input.checked = value;
    else if (this.#input.value !== value) this.#input.value = value;
  }

  #updateHint() {
    setText(this.#hint, this.isEdited && this.#kind !== 'secret' ? `current value: ${this.#current}` : '');
    this.#hint.hidden = this.#hint.textContent === '';
  }
}

function rank(name) {
  const index = Object.keys(CONSTRAINT_TEXTS).indexOf(name);
  return index < 0 ? Number.MAX_SAFE_INTEGER : index;
}
