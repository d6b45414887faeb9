import { isAbort } from './api.js';
import { violationText } from './constraint-text.js';
import { documentForm } from './document-form.js';
import { element, nextId, setText } from './element.js';
import { isEqual, withSecretsOf } from './json-values.js';

const CHECK_DELAY_MS = 300;

/**
 * A form and a text of one document: an edit of one changes the other. `check` lets the application validate an edit
 * and convert between text and document. Secrets that the user enters stay in the form: the text has `***` for them.
 */
export class DocumentEditor {
  #entry;
  #check;
  #onEdit;
  #form;
  #formPlace = element('div', { className: 'form' });
  #text;
  #textError = element('p', { className: 'error', hidden: true });
  #otherViolations = element('ul', { className: 'error', hidden: true });
  #fields;
  /** The document with `***` for secrets; `undefined` while the text cannot be parsed. */
  #document;
  /** True if the text was edited after the form. */
  #isTextNewer = false;
  #timer;
  #checking = new AbortController();

  constructor(entry, { check, onEdit }) {
    this.#entry = entry;
    this.#check = check;
    this.#onEdit = onEdit;
    const id = nextId('text');
    this.#text = element('textarea', { id, spellcheck: false, className: 'code', rows: 12 });
    this.#text.setAttribute('aria-describedby', `${id}-error`);
    this.#textError.id = `${id}-error`;
    const format = this.#isYaml ? 'YAML' : entry.codec === 'text' ? 'Text' : 'JSON';
    const textSide = element(
      'div',
      { className: 'text' },
      element('label', { htmlFor: id }, format),
      this.#text,
      this.#textError,
    );
    this.#fields = element('fieldset', { className: 'editor' }, this.#formPlace, textSide);
    this.#fields.setAttribute('aria-label', 'Document');
    this.element = element('div', {}, this.#otherViolations, this.#fields);
    this.#formPlace.addEventListener('input', () => this.#onFormInput());
    this.#text.addEventListener('input', () => this.#onTextInput());
    this.show(entry.document ?? undefined, entry.text ?? '');
    if (entry.violations) this.showViolations(entry.violations);
  }

  get document() {
    return this.#document;
  }

  get isDirty() {
    return !isEqual(this.#document, this.#entry.document ?? undefined) || this.hasNewSecrets;
  }

  /** False while the text cannot be parsed, so that nothing but what is shown is saved. */
  get canSave() {
    return this.#document !== undefined;
  }

  get hasNewSecrets() {
    return !isEqual(this.#form.read(false), this.#form.read(true));
  }

  /** The document with the secrets that the user has entered. */
  get unmasked() {
    return this.#form.read(true);
  }

  /** The content of a write: the document with the new secrets, or the text if it was edited last. */
  get content() {
    if (this.#isTextNewer && !this.hasNewSecrets) return { text: this.#text.value, format: this.#format };
    return { document: this.unmasked ?? null };
  }

  set disabled(isDisabled) {
    this.#fields.disabled = isDisabled;
  }

  /** Replaces the document that is edited. */
  show(document, text = this.#print(document)) {
    this.#document = document;
    this.#isTextNewer = false;
    this.#renderForm(document);
    this.#text.value = text ?? '';
    this.#showTextError('');
  }

  /** Shows a document that was not edited here as an edit, and validates it. */
  replace(document) {
    this.show(document);
    this.#onFormInput();
  }

  /** Shows violations at their properties, and above the form those of other properties. */
  showViolations(violations) {
    const others = this.#form.showViolations(violations);
    this.#otherViolations.replaceChildren(
      ...others.map((violation) => element('li', {}, `${violationText(violation)}.`)),
    );
    this.#otherViolations.hidden = others.length === 0;
  }

  focusViolation() {
    this.#formPlace.querySelector('[aria-invalid=true]')?.focus();
  }

  close() {
    clearTimeout(this.#timer);
    this.#checking.abort();
  }

  get #isYaml() {
    return this.#entry.codec === 'yaml';
  }

  get #format() {
    return this.#isYaml ? 'yaml' : 'json';
  }

  #renderForm(document) {
    this.#form = documentForm(document, this.#entry);
    this.#formPlace.replaceChildren(this.#form.element);
  }

  #onFormInput() {
    this.#isTextNewer = false;
    this.#document = this.#form.read(false);
    const text = this.#print(this.#document);
    if (text !== undefined) this.#text.value = text;
    this.#showTextError('');
    this.#onEdited();
  }

  #onTextInput() {
    this.#isTextNewer = true;
    if (!this.#isYaml) this.#onParsed(...parse(this.#text.value, this.#entry.codec));
    this.#onEdited();
  }

  #onParsed(document, error) {
    if (error === undefined && !isEqual(document, this.#document)) {
      this.#document = document;
      this.#renderForm(withSecretsOf(document, this.#form.read(true)));
    }
    if (error !== undefined) this.#document = undefined;
    this.#showTextError(error ?? '');
  }

  /** The form shows the last document that could be parsed, so it cannot be edited meanwhile. */
  #showTextError(error) {
    setText(this.#textError, error);
    this.#textError.hidden = error === '';
    this.#formPlace.inert = error !== '';
    if (error === '') this.#text.removeAttribute('aria-invalid');
    else this.#text.setAttribute('aria-invalid', 'true');
  }

  /** Returns `undefined` for YAML, which the application prints. */
  #print(document) {
    if (this.#isYaml) return undefined;
    if (this.#entry.codec === 'text') return document ?? '';
    return document === undefined ? '' : JSON.stringify(document, null, 2);
  }

  #onEdited() {
    this.#onEdit();
    clearTimeout(this.#timer);
    this.#checking.abort();
    this.#checking = new AbortController();
    const { signal } = this.#checking;
    this.#timer = setTimeout(() => void this.#runCheck(signal), CHECK_DELAY_MS);
  }

  async #runCheck(signal) {
    if (this.#document === undefined && !this.#isTextNewer) return;
    try {
      const { violations, document, text } = await this.#check(this.content, signal);
      if (this.#isYaml) await this.#convert(document, text, violations, signal);
      if (!signal.aborted && this.#document !== undefined) this.showViolations(violations);
    } catch (error) {
      if (!isAbort(error)) this.#onEdit(error);
    }
  }

  async #convert(document, text, violations, signal) {
    if (this.#isTextNewer) {
      const isParsed = document !== undefined && document !== null;
      this.#onParsed(document, isParsed ? undefined : violations.map((each) => `${violationText(each)}.`).join(' '));
    } else if (this.hasNewSecrets) {
      this.#text.value = (await this.#check({ document: this.#document }, signal)).text ?? this.#text.value;
    } else {
      this.#text.value = text ?? this.#text.value;
    }
    this.#onEdit();
  }
}

function parse(text, codec) {
  if (codec === 'text') return [text, undefined];
  try {
    return [JSON.parse(text), undefined];
  } catch {
    return [undefined, 'The text is not JSON.'];
  }
}
