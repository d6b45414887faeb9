import { byId, element, setText } from './element.js';

const KEPT = 50;

/** What came before this page was opened, newest first. */
export function showHistory(entries) {
  byId('activity').replaceChildren(...entries.map(line));
  byId('quiet').hidden = entries.length > 0;
}

/** What came just now; it is spoken too. */
export function showActivity(entry) {
  const list = byId('activity');
  const added = line(entry);
  added.classList.add('new');
  list.prepend(added);
  while (list.children.length > KEPT) list.lastElementChild.remove();
  byId('quiet').hidden = true;
  announce(`${entry.key} ${wordOf(entry)}. ${entry.detail}`);
}

export function announce(text) {
  setText(byId('announcement'), text);
}

function line(entry) {
  const { key, detail, revision, origin, at } = entry;
  const time = element('time', { dateTime: at, className: 'hint' }, new Date(at).toLocaleTimeString());
  const about = element('span', { className: 'hint' }, ` revision ${revision}, ${origin}`);
  return element(
    'li',
    {},
    time,
    ' ',
    element('strong', {}, key),
    ` ${wordOf(entry)}`,
    about,
    element('div', {}, detail),
  );
}

const wordOf = ({ type }) => (type === 'put' ? 'written' : 'deleted');
