import { api, isAbort } from './api.js';
import { changesTable } from './changes-table.js';
import { violationText } from './constraint-text.js';
import { confirm } from './dialogs.js';
import { announce, badge, button, element } from './element.js';
import { timeText } from './texts.js';

const LIMIT = 50;

/** The revisions of one key that etcd still has, with their differences, author and reason. */
export class HistoryView {
  #session;
  #entry;
  #onWritten;
  #list = element('ol', { className: 'revisions' }, element('li', { className: 'hint' }, 'Loading…'));
  #message = element('p', { className: 'error', hidden: true });
  #loading = new AbortController();
  #buttons = [];
  element = element('div', {}, this.#message, this.#list);

  constructor(session, entry, { onWritten }) {
    this.#session = session;
    this.#entry = entry;
    this.#onWritten = onWritten;
    void this.#load();
  }

  isDirty = false;

  update() {
    for (const each of this.#buttons) each.disabled = !this.#session.isWritable;
  }

  /** A newer revision is shown when the view is opened again. */
  showNewer() {
    this.#onWritten('');
  }

  close() {
    this.#loading.abort();
  }

  async #load() {
    const { cluster, key } = this.#entry;
    try {
      const { revisions, complete } = await api.history({ cluster, key, limit: LIMIT }, this.#loading.signal);
      const items = revisions.map((revision, index) => this.#itemOf(revision, index === 0));
      const end = complete
        ? 'This is the first revision.'
        : 'etcd has no older revisions, or there are more than the console reads.';
      this.#list.replaceChildren(...items);
      if (items.length === 0)
        this.#list.replaceChildren(element('li', { className: 'hint' }, 'etcd has no revision of this key.'));
      else this.#list.append(element('li', { className: 'hint end' }, end));
      this.update();
    } catch (error) {
      if (!isAbort(error)) this.#showError(error.message);
    }
  }

  #itemOf({ revision, deleted, document, violations = [], changes = [], audit }, isNewest) {
    const canRollBack = !isNewest && !deleted && document !== null && violations.length === 0;
    const offered = canRollBack && this.#entry.canEdit && this.#session.state?.write;
    const rollBack = button('Roll back to this revision', () => void this.#rollBack(revision), { className: 'quiet' });
    if (offered) this.#buttons.push(rollBack);
    const label = `Differences of revision ${revision}`;
    return element(
      'li',
      { dataset: { revision } },
      element(
        'div',
        { className: 'title' },
        element('h3', {}, `Revision ${revision}`),
        isNewest && badge('newest'),
        deleted && badge('deleted', 'bad'),
        violations.length > 0 && badge('invalid', 'bad'),
        offered && rollBack,
      ),
      audit ? auditLine(audit) : undefined,
      violations.length > 0 &&
        element(
          'ul',
          { className: 'error' },
          ...violations.map((each) => element('li', {}, `${violationText(each)}.`)),
        ),
      changes.length > 0
        ? changesTable(changes, label)
        : !deleted && element('p', { className: 'hint' }, 'No property has changed.'),
    );
  }

  async #rollBack(revision) {
    const { cluster, key, headRevision } = this.#entry;
    const confirmed = await confirm({
      title: `Roll back to revision ${revision}?`,
      text: `The document of revision ${revision} is written again as a new revision of ${key}.`,
      action: 'Roll back',
      hasReason: this.#session.clusterState?.audit,
    });
    if (!confirmed) return;
    try {
      const written = await api.rollback({ cluster, key, revision, ifRevision: headRevision, ...confirmed });
      this.#onWritten(`Rolled back to revision ${revision}, as revision ${written.revision}.`);
    } catch (error) {
      const newer = 'Not rolled back: somebody else has changed the key. Check the new revision first.';
      this.#showError(error.status === 409 ? newer : `Not rolled back: ${error.message}`);
    }
  }

  #showError(message) {
    this.#message.textContent = message;
    this.#message.hidden = message === '';
    announce(message);
  }
}

function auditLine({ author, reason, at, source }) {
  const who = element('strong', {}, author ?? 'unknown author');
  const rest = [at && timeText(at), source && `via ${source}`].filter(Boolean).join(', ');
  return element('p', { className: 'audit' }, who, rest && ` · ${rest}`, reason && ` · “${reason}”`);
}
