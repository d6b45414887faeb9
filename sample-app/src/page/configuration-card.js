import { ConfigurationField } from './configuration-field.js';
import { element, setBadge, setText } from './element.js';

/** One configuration: what the application runs on, and the form that writes it. */
export class ConfigurationCard {
  #name;
  #badge = element('span');
  #key = element('code');
  #about = element('p', { className: 'about' });
  #fieldset = element('div');
  #button = element('button', { type: 'submit' }, 'Save');
  #answer = element('output', { className: 'hint' });
  #fields = new Map();
  /** As the application has it. */
  #current;
  /** The revision that the edit began with. */
  #editedRevision;

  constructor(name) {
    this.#name = name;
    const title = element('h3', { id: `${name}-title` }, name);
    const form = element(
      'form',
      {},
      this.#fieldset,
      element('div', { className: 'actions' }, this.#button, this.#answer),
    );
    form.setAttribute('aria-labelledby', title.id);
    form.addEventListener('input', () => this.#edited());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#save();
    });
    const header = element('header', {}, title, this.#key, this.#badge);
    this.element = element('article', { className: 'card', dataset: { name } }, header, this.#about, form);
  }

  /** What was being edited stays; beside it stands what is there now. */
  show(configuration) {
    this.#current = configuration;
    const { key, state, revision, source, value, secrets, rejectedRevision, violations } = configuration;
    setText(this.#key, key);
    setBadge(this.#badge, state, state === 'valid');
    const refused = violations?.map(({ path, constraints }) => `${path || 'the document'} (${constraints.join(', ')})`);
    setText(
      this.#about,
      rejectedRevision === undefined
        ? `revision ${revision}, from ${source}`
        : `Revision ${rejectedRevision} was refused for ${refused?.join(', ') ?? 'its content'}. Revision ${revision} stays in use.`,
    );
    for (const [property, part] of Object.entries(value ?? {})) {
      this.#fieldOf(property, part, secrets.includes(property)).show(part);
    }
  }

  #fieldOf(property, part, isSecret) {
    if (!this.#fields.has(property)) {
      const field = new ConfigurationField(`${this.#name}-${property}`, property, part, isSecret);
      this.#fields.set(property, field);
      this.#fieldset.append(field.element);
    }
    return this.#fields.get(property);
  }

  get #changes() {
    return [...this.#fields].filter(([, field]) => field.isEdited);
  }

  #edited() {
    this.#editedRevision = this.#changes.length > 0 ? (this.#editedRevision ?? this.#revision) : undefined;
    this.#say('');
  }

  /** Of what lies in etcd, also where it was refused. */
  get #revision() {
    return this.#current.rejectedRevision ?? this.#current.revision;
  }

  async #save() {
    const changes = this.#changes;
    if (changes.length === 0) return this.#say('Nothing is changed.');
    this.#button.disabled = true;
    this.#say('Saving…');
    try {
      const response = await fetch(`config/${this.#name}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'if-match': String(this.#editedRevision ?? this.#revision) },
        body: JSON.stringify(Object.fromEntries(changes.map(([property, { value }]) => [property, value]))),
      });
      this.#answered(response.status, await response.json());
    } catch {
      this.#say('The app did not answer: whether it is saved is not known.', true);
    } finally {
      this.#button.disabled = false;
    }
  }

  #answered(status, { revision, message, violations = [] }) {
    const unplaced = this.#showViolations(violations);
    if (status === 200) {
      for (const [, field] of this.#changes) field.accepted();
      this.#editedRevision = undefined;
      this.#say(`Saved as revision ${revision}.`);
    } else if (status === 412) {
      this.#editedRevision = undefined;
      this.#say('Somebody else has written it meanwhile. Look at it; saving again writes over it.', true);
    } else if (violations.length > 0) {
      this.#say(`Not saved, the app goes on with what it has. ${unplaced.join(', ')}`, true);
    } else {
      this.#say(`Not saved: ${message}`, true);
    }
  }

  /** Those that no field of the form is to blame for are returned. */
  #showViolations(violations) {
    for (const field of this.#fields.values()) field.refuse(undefined);
    const unplaced = violations.filter(({ path }) => !this.#fields.has(path));
    for (const { path, constraints } of violations) this.#fields.get(path)?.refuse(constraints);
    [...this.#fields.values()].find((field) => field.isRefused)?.focus();
    return unplaced.map(({ path, constraints }) => `${path || 'the document'}: ${constraints.join(', ')}`);
  }

  #say(text, isBad = false) {
    this.#answer.className = isBad ? 'error' : 'hint';
    setText(this.#answer, text);
  }
}
