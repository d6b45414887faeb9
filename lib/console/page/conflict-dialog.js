import { openDialog } from './dialogs.js';
import { button, element, nextId } from './element.js';
import { shortText } from './json-values.js';
import { merge, threeWay } from './three-way.js';

/** Notes at the properties that the user has to choose. */
const NOTES = { conflict: 'both have changed it', secret: 'theirs may have changed' };

/**
 * Shows the differences between an edit and the current document, which somebody else has changed meanwhile. The user
 * chooses the value of each property that both have changed. Resolves with the merged document; `undefined` if the user
 * cancels.
 */
export const resolveConflict = (base, yours, theirs, revision) =>
  openDialog(
    'Somebody else has changed this key',
    (close) => {
      const rows = threeWay(base, yours, theirs);
      const choices = new Map(
        rows.filter(({ kind }) => kind === 'yours' || kind === 'theirs').map((row) => [row.path, row.kind]),
      );
      const save = button('Save this version', () =>
        close({
          document: merge(base, yours, theirs, (row) => (choices.get(row.path) === 'yours' ? row.yours : row.theirs)),
        }),
      );
      const open = element('p', { role: 'status' });
      const update = () => {
        const left = rows.filter(({ kind, path }) => NOTES[kind] && !choices.has(path)).length;
        save.disabled = left > 0;
        open.textContent =
          left > 0 ? `Choose the value of ${left} more ${left === 1 ? 'property' : 'properties'}.` : '';
      };
      const choose = (path, side) => {
        choices.set(path, side);
        update();
      };
      update();
      return [
        element('p', {}, `Revision ${revision} is newer than your edit. Nothing has been saved. Choose what to keep:`),
        differenceTable(rows, choices, choose),
        open,
        element(
          'div',
          { className: 'actions' },
          save,
          button('Go back to the edit', () => close(undefined), { className: 'quiet' }),
        ),
      ];
    },
    { isWide: true },
  );

function differenceTable(rows, choices, choose) {
  const headings = ['Property', 'Before', 'Yours', 'Theirs'].map((text) => element('th', { scope: 'col' }, text));
  const body = rows.map((row) => differenceRow(row, choices.get(row.path), choose));
  const table = element(
    'table',
    { className: 'differences' },
    element('thead', {}, element('tr', {}, ...headings)),
    element('tbody', {}, ...body),
  );
  return element('div', { className: 'scrolls', tabIndex: 0, role: 'region', ariaLabel: 'Differences' }, table);
}

function differenceRow(row, chosen, choose) {
  const { path, base, yours, theirs, kind } = row;
  const name = path === '' ? 'the document' : path;
  const group = nextId('choice');
  const side = (label, value) => {
    const text = element('code', {}, shortText(value));
    if (kind === 'same') return cell(label, text);
    const radio = element('input', { type: 'radio', name: group, checked: chosen === label });
    radio.ariaLabel = `${label} of ${name}`;
    radio.addEventListener('change', () => choose(path, label));
    return cell(label, element('label', {}, radio, ' ', text));
  };
  return element(
    'tr',
    { className: kind, dataset: { path } },
    element(
      'th',
      { scope: 'row' },
      element('bdi', {}, name),
      NOTES[kind] && element('div', { className: 'error' }, NOTES[kind]),
    ),
    cell('before', element('code', {}, shortText(base))),
    side('yours', yours),
    side('theirs', theirs),
  );
}

const cell = (label, content) => element('td', { dataset: { label } }, content);
