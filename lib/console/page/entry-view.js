import { api } from './api.js';
import { confirm } from './dialogs.js';
import { DocumentEditor } from './document-editor.js';
import { announce, button, element, setText } from './element.js';
import { resolveConflict } from './conflict-dialog.js';
import { markNewSecrets, unmarkNewSecrets } from './json-values.js';

/** Edits, creates and deletes the document of one key, if the key is still at the revision that is shown. */
export class EntryView {
  #session;
  #entry;
  #layer;
  #onWritten;
  #editor;
  #save = button('Save', () => void this.save(), { id: 'save' });
  #discard = button('Discard changes', () => this.#onDiscard(), { className: 'quiet' });
  #delete = button('Delete key', () => void this.#onDelete(), { className: 'danger quiet' });
  #reason;
  #message = element('output', { className: 'hint' });
  #newer = element('div', { className: 'notice', hidden: true });
  /** The revision that a write demands. */
  #revision;
  #isSaving = false;

  /** `onWritten(message)` is called after a write, and after the user has discarded an edit of an older revision. */
  constructor(session, entry, { layer, onWritten }) {
    this.#session = session;
    this.#entry = entry;
    this.#layer = layer;
    this.#onWritten = onWritten;
    this.#revision = entry.headRevision;
    this.#reason = element('input', {
      type: 'text',
      maxLength: 500,
      autocomplete: 'off',
      placeholder: 'why (optional)',
    });
    this.#reason.ariaLabel = 'Reason';
    this.#reason.hidden = !session.clusterState?.audit;
    this.#editor = new DocumentEditor(entry, {
      check: (content, signal) => api.check({ ...this.#target, ...content }, signal),
      onEdit: (error) => this.#onEdit(error),
    });
    this.#save.textContent = entry.headRevision === 0 ? 'Create' : 'Save';
    this.element = element(
      'div',
      {},
      this.#newer,
      this.#editor.element,
      element(
        'div',
        { className: 'actions save-bar' },
        this.#reason,
        this.#save,
        this.#discard,
        this.#delete,
        this.#message,
      ),
    );
    this.update();
  }

  get isDirty() {
    return this.#editor.isDirty;
  }

  /** Enables what can be done now. */
  update() {
    const canEdit = this.#session.isWritable && this.#entry.canEdit;
    this.#editor.disabled = !canEdit || this.#isSaving;
    const isNew = this.#entry.headRevision === 0;
    this.#save.disabled = !canEdit || this.#isSaving || !this.isDirty || !this.#editor.canSave;
    this.#discard.disabled = !this.isDirty || this.#isSaving;
    this.#delete.disabled = !canEdit || this.#isSaving;
    this.#delete.hidden = isNew;
    for (const each of [this.#save, this.#discard, this.#delete, this.#reason]) {
      if (!this.#entry.canEdit || this.#session.state?.write === false) each.hidden = true;
    }
  }

  /** Says that somebody else has written the key. The edit stays. */
  showNewer(revision) {
    if (this.#isSaving) return;
    const compare = button('Compare', () => void this.#onConflict(), { className: 'quiet' });
    this.#newer.replaceChildren(`Somebody else has written revision ${revision}. Your edit is kept. `, compare);
    this.#newer.hidden = false;
  }

  async save() {
    this.#setSaving(true, 'Saving…');
    const content = this.#editor.content;
    const reason = this.#reason.value === '' ? undefined : this.#reason.value;
    try {
      const { revision } = await api.put({ ...this.#target, ...content, ifRevision: this.#revision, reason });
      this.#onWritten(`Saved as revision ${revision}.`);
    } catch (error) {
      this.#setSaving(false, '');
      if (error.status === 409) await this.#resolve(error.body);
      else this.#showFailure(error);
    }
  }

  close() {
    this.#editor.close();
  }

  get #target() {
    return { cluster: this.#entry.cluster, key: this.#entry.key, layer: this.#layer };
  }

  #onEdit(error) {
    this.#showMessage(error ? `The edit could not be checked: ${error.message}` : '', error !== undefined);
    this.update();
  }

  #onDiscard() {
    if (!this.#newer.hidden || this.#revision !== this.#entry.headRevision) {
      this.#onWritten('The changes were discarded.');
      return;
    }
    this.#editor.show(this.#entry.document ?? undefined, this.#entry.text ?? '');
    this.#editor.showViolations(this.#entry.violations ?? []);
    this.#showMessage('');
    this.update();
  }

  /** Reads the current document, to compare it with the edit before it is saved. */
  async #onConflict() {
    try {
      const { headRevision, document } = await api.entry(this.#target);
      await this.#resolve({ revision: headRevision, document });
    } catch (error) {
      this.#showFailure(error);
    }
  }

  async #resolve({ revision, document }) {
    const yours = this.#editor.document;
    if (yours === undefined) {
      this.#showMessage('Somebody else has changed this key. Correct the text, then save again to compare.', true);
      return;
    }
    const entered = this.#editor.unmasked;
    const base = this.#entry.document ?? undefined;
    const result = await resolveConflict(base, markNewSecrets(yours, entered), document ?? undefined, revision);
    if (!result) return;
    if (result.document === undefined) {
      this.#onWritten('The key stays deleted.');
      return;
    }
    this.#revision = revision ?? 0;
    this.#newer.hidden = true;
    this.#editor.replace(unmarkNewSecrets(result.document, entered));
    await this.save();
  }

  async #onDelete() {
    const { key } = this.#entry;
    const confirmed = await confirm({
      title: 'Delete the key?',
      text: `${this.#layer ?? key} is deleted from etcd.`,
      action: 'Delete',
      hasReason: this.#session.clusterState?.audit,
      isDangerous: true,
    });
    if (!confirmed) return;
    this.#setSaving(true, 'Deleting…');
    try {
      const { revision } = await api.delete({ ...this.#target, ifRevision: this.#revision, ...confirmed });
      this.#onWritten(`Deleted at revision ${revision}.`);
    } catch (error) {
      this.#setSaving(false, '');
      this.#showFailure(error);
    }
  }

  #showFailure({ status, message, body = {} }) {
    const { violations = [] } = body;
    this.#editor.showViolations(violations);
    this.#editor.focusViolation();
    if (status === 409) this.#showMessage('Not done: somebody else has changed the key. Reload it first.', true);
    else
      this.#showMessage(violations.length > 0 ? 'Not saved: the document is invalid.' : `Not saved: ${message}`, true);
  }

  #setSaving(isSaving, message) {
    this.#isSaving = isSaving;
    this.#showMessage(message);
    this.update();
  }

  #showMessage(text, isError = false) {
    this.#message.className = isError ? 'error' : 'hint';
    setText(this.#message, text);
    if (isError) announce(text);
  }
}
