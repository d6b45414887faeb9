import { element, setText } from './element.js';

/** class-validator's names in words, the most telling first; others are shown as they are. */
const WORDS = {
  isInt: 'a whole number',
  isNumber: 'a number',
  isString: 'text',
  isBoolean: 'yes or no',
  isNotEmpty: 'not empty',
  min: 'not below its minimum',
  max: 'not above its maximum',
};

/** One property: its input, what is wrong with it, and what the application has meanwhile. */
export class ConfigurationField {
  #input;
  #error;
  #hint;
  #kind;
  #shown;

  constructor(id, property, part, isSecret) {
    this.#kind = isSecret ? 'secret' : typeof part;
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
    this.#input.addEventListener('input', () => this.#tellTheOther());
    const label = element('label', { htmlFor: id }, property);
    this.element = element('div', { className: 'field' }, label, this.#input, this.#error, this.#hint);
  }

  get isEdited() {
    return this.#shown !== undefined && this.#entered !== this.#shown;
  }

  /** As it is written; what is no number goes as the text that it is, for the application to judge. */
  get value() {
    const entered = this.#entered;
    const isNumber = this.#kind === 'number' && entered.trim() !== '' && Number.isFinite(Number(entered));
    return isNumber ? Number(entered) : entered;
  }

  get isRefused() {
    return this.#input.getAttribute('aria-invalid') === 'true';
  }

  focus() {
    this.#input.focus();
  }

  show(part) {
    const wasEdited = this.isEdited;
    this.#shown = this.#kind === 'secret' ? '' : this.#kind === 'boolean' ? part : String(part);
    if (!wasEdited) this.#enter(this.#shown);
    this.#tellTheOther();
  }

  /** What was entered is what the application has. */
  accepted() {
    if (this.#kind === 'secret') this.#enter('');
    else this.#shown = this.#entered;
    this.#tellTheOther();
  }

  refuse(constraints) {
    const names = constraints?.toSorted((one, other) => rank(one) - rank(other));
    const text = names?.map((name) => WORDS[name] ?? name).join(', ');
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

  #tellTheOther() {
    setText(this.#hint, this.isEdited && this.#kind !== 'secret' ? `now ${this.#shown}` : '');
    this.#hint.hidden = this.#hint.textContent === '';
  }
}

function rank(name) {
  const place = Object.keys(WORDS).indexOf(name);
  return place < 0 ? Number.MAX_SAFE_INTEGER : place;
}
