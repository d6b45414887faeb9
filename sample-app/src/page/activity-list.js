import { byId, element, setText } from './element.js';

const MAX_ENTRIES = 50;

/** Shows the changes from before the page was opened, newest first. */
export function showHistory(entries) {
  byId('activity').replaceChildren(...entries.map(listItem));
  byId('no-changes').hidden = entries.length > 0;
}

/** Adds a new change and announces it to screen readers. */
export function showActivity(entry) {
  const list = byId('activity');
  const added = listItem(entry);
  added.classList.add('new');
  list.prepend(added);
  while (list.children.length > MAX_ENTRIES) list.lastElementChild.remove();
  byId('no-changes').hidden = true;
  announce(`${entry.key} ${verbOf(entry)}. ${entry.detail}`);
}

export function announce(text) {
  setText(byId('announcement'), text);
}

function listItem(entry) {
  const { key, detail, revision, origin, at } = entry;
  const time = element('time', { dateTime: at, className: 'hint' }, new Date(at).toLocaleTimeString());
  const about = element('span', { className: 'hint' }, ` revision ${revision}, ${origin}`);
  return element(
    'li',
    {},
    time,
    ' ',
    element('strong', {}, key),
    ` ${verbOf(entry)}`,
    about,
    element('div', {}, detail),
  );
}

const verbOf = ({ type }) => (type === 'put' ? 'written' : 'deleted');
