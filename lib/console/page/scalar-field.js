import { element } from './element.js';
import { FieldFrame } from './field-frame.js';
import { boundsText } from './schema.js';

/** A text, a number, a boolean or one of several values. */
export class ScalarField {
  #input;
  #parse;
  #frame;

  constructor(kind, value, context) {
    const { schema } = context;
    const { control, parse } =
      kind === 'boolean' ? choice([true, false], value, context) : inputOf(kind, value, context);
    this.#input = control;
    this.#parse = parse;
    const hint = [schema.description, boundsText(schema)].filter(Boolean).join('. ');
    this.#frame = new FieldFrame({ ...context, hint: kind === 'enum' ? (schema.description ?? '') : hint }, control);
    this.element = this.#frame.element;
  }

  /** `undefined` if the property is absent. */
  read() {
    return this.#parse(this.#input.value);
  }

  showViolations(violations) {
    this.#frame.showViolation(violations.take(this.element.dataset.path));
  }
}

function inputOf(kind, value, context) {
  if (kind === 'enum') return choice(context.schema.enum, value, context);
  return kind === 'number' ? numberInput(value, context) : textInput(value, context);
}

function textInput(value, { isRequired }) {
  const isLong = value !== undefined && (value.length > 80 || String(value).includes('\n'));
  const control = element(isLong ? 'textarea' : 'input', {
    ...(isLong ? { rows: 4 } : { type: 'text' }),
    value: value ?? '',
    placeholder: isRequired ? '' : 'not set',
    autocomplete: 'off',
    spellcheck: false,
  });
  const isEmptyKept = isRequired || value === '';
  return { control, parse: (text) => (text === '' && !isEmptyKept ? undefined : text) };
}

/** A text that is not a number is kept, so that the application rejects it. */
function numberInput(value, { isRequired }) {
  const control = element('input', {
    type: 'text',
    inputMode: 'decimal',
    value: value === undefined ? '' : String(value),
    placeholder: isRequired ? '' : 'not set',
    autocomplete: 'off',
  });
  return {
    control,
    parse: (text) => {
      const trimmed = text.trim();
      if (trimmed === '') return undefined;
      // A text whose value did not change stays what it is, also a number in quotes.
      if (typeof value === 'string' && text === value) return value;
      return Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
    },
  };
}

/** The values are chosen by index, because they may be of any type. */
function choice(allowed, value, { isRequired }) {
  const values = value === undefined || allowed.includes(value) ? allowed : [...allowed, value];
  const options = values.map((each, index) =>
    element('option', { value: String(index), selected: each === value }, optionText(each, allowed)),
  );
  const isAbsentOffered = !isRequired || value === undefined;
  const absent = element('option', { value: '', selected: value === undefined }, isRequired ? 'choose' : 'not set');
  const control = element('select', {}, isAbsentOffered && absent, ...options);
  return { control, parse: (index) => (index === '' ? undefined : values[Number(index)]) };
}

const optionText = (value, allowed) =>
  `${typeof value === 'string' ? value : JSON.stringify(value)}${allowed.includes(value) ? '' : ' (not allowed)'}`;
