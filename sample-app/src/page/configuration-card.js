import { ConfigurationField } from './configuration-field.js';
import { element, setBadge, setText } from './element.js';

/** One configuration: its current value, and a form to change it. */
export class ConfigurationCard {
  #name;
  #badge = element('span');
  #key = element('code');
  #status = element('p', { className: 'status' });
  #fieldset = element('div');
  #button = element('button', { type: 'submit' }, 'Save');
  #message = element('output', { className: 'hint' });
  #fields = new Map();
  /** The application's current configuration. */
  #current;
  /** Revision at which editing started. */
  #editedRevision;

  constructor(name) {
    this.#name = name;
    const title = element('h3', { id: `${name}-title` }, name);
    const form = element(
      'form',
      {},
      this.#fieldset,
      element('div', { className: 'actions' }, this.#button, this.#message),
    );
    form.setAttribute('aria-labelledby', title.id);
    form.addEventListener('input', () => this.#onInput());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#save();
    });
    const header = element('header', {}, title, this.#key, this.#badge);
    this.element = element('article', { className: 'card', dataset: { name } }, header, this.#status, form);
  }

  /** Shows the current values. Fields that are being edited keep their input and show the current value next to it. */
  show(configuration) {
    this.#current = configuration;
    const { key, state, revision, source, value, secrets, rejectedRevision, violations } = configuration;
    setText(this.#key, key);
    setBadge(this.#badge, state, state === 'valid');
    const reasons = violations?.map(({ path, constraints }) => `${path || 'the document'} (${constraints.join(', ')})`);
    setText(
      this.#status,
      rejectedRevision === undefined
        ? `revision ${revision}, from ${source}`
        : `Revision ${rejectedRevision} was rejected because of ${reasons?.join(', ') ?? 'its content'}. Revision ${revision} stays in use.`,
    );
    for (const [property, current] of Object.entries(value ?? {})) {
      this.#fieldOf(property, current, secrets.includes(property)).show(current);
    }
  }

  #fieldOf(property, current, isSecret) {
    if (!this.#fields.has(property)) {
      const field = new ConfigurationField(`${this.#name}-${property}`, property, current, isSecret);
      this.#fields.set(property, field);
      this.#fieldset.append(field.element);
    }
    return this.#fields.get(property);
  }

  get #changes() {
    return [...this.#fields].filter(([, field]) => field.isEdited);
  }

  #onInput() {
    this.#editedRevision = this.#changes.length > 0 ? (this.#editedRevision ?? this.#revision) : undefined;
    this.#showMessage('');
  }

  /** Revision of the value in etcd, even if that value was rejected. */
  get #revision() {
    return this.#current.rejectedRevision ?? this.#current.revision;
  }

  async #save() {
    const changes = this.#changes;
    if (changes.length === 0) return this.#showMessage('There are no changes to save.');
    this.#button.disabled = true;
    this.#showMessage('Saving…');
    try {
      const response = await fetch(`config/${this.#name}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'if-match': String(this.#editedRevision ?? this.#revision) },
        body: JSON.stringify(Object.fromEntries(changes.map(([property, { value }]) => [property, value]))),
      });
      this.#onResponse(response.status, await response.json());
    } catch {
      this.#showMessage('The app did not respond. The change may or may not have been saved.', true);
    } finally {
      this.#button.disabled = false;
    }
  }

  #onResponse(status, { revision, message, violations = [] }) {
    const withoutField = this.#showViolations(violations);
    if (status === 200) {
      for (const [, field] of this.#changes) field.onSaved();
      this.#editedRevision = undefined;
      this.#showMessage(`Saved as revision ${revision}.`);
    } else if (status === 412) {
      this.#editedRevision = undefined;
      this.#showMessage('The value has changed in the meantime. Check it; saving again overwrites it.', true);
    } else if (violations.length > 0) {
      this.#showMessage(`Not saved: the value is invalid. ${withoutField.join(', ')}`, true);
    } else {
      this.#showMessage(`Not saved: ${message}`, true);
    }
  }

  /** Shows violations at their fields. Returns descriptions of those that belong to no field. */
  #showViolations(violations) {
    for (const field of this.#fields.values()) field.showViolation(undefined);
    const withoutField = violations.filter(({ path }) => !this.#fields.has(path));
    for (const { path, constraints } of violations) this.#fields.get(path)?.showViolation(constraints);
    [...this.#fields.values()].find((field) => field.isInvalid)?.focus();
    return withoutField.map(({ path, constraints }) => `${path || 'the document'}: ${constraints.join(', ')}`);
  }

  #showMessage(text, isError = false) {
    this.#message.className = isError ? 'error' : 'hint';
    setText(this.#message, text);
  }
}
