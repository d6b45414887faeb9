import { element } from './element.js';
import { shortText } from './json-values.js';

/** A readable difference: the properties that a change has added, changed or removed. */
export function changesTable(changes, label) {
  const rows = changes.map(({ path, before, after }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, element('bdi', {}, path === '' ? 'the document' : path)),
      element('td', {}, before === undefined ? '' : element('del', {}, shortText(before))),
      element('td', {}, after === undefined ? '' : element('ins', {}, shortText(after))),
    ),
  );
  const headings = ['Property', 'Before', 'After'].map((text) => element('th', { scope: 'col' }, text));
  return element(
    'div',
    { className: 'scrolls', tabIndex: 0, role: 'region', ariaLabel: label },
    element(
      'table',
      { className: 'changes' },
      element('thead', {}, element('tr', {}, ...headings)),
      element('tbody', {}, ...rows),
    ),
  );
}
