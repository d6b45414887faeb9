import { element } from './element.js';
import { FieldFrame } from './field-frame.js';

/** A value of any shape, as JSON. A text that is not JSON is sent as text, so that the application rejects it. */
export class JsonField {
  #input;
  #frame;

  constructor(value, context) {
    const text = value === undefined ? '' : JSON.stringify(value, null, 2);
    this.#input = element('textarea', {
      value: text,
      rows: Math.min(12, text.split('\n').length),
      placeholder: 'not set',
      spellcheck: false,
    });
    this.#frame = new FieldFrame({ ...context, hint: context.schema.description ?? 'a value in JSON' }, this.#input);
    this.element = this.#frame.element;
  }

  read() {
    const text = this.#input.value;
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }

  showViolations(violations) {
    this.#frame.showViolation(violations.takeAll(this.element.dataset.path));
  }
}
