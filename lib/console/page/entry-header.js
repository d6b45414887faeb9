import { badge, element } from './element.js';
import { receivedAt, stateTone, timeText } from './texts.js';
import { violationText } from './constraint-text.js';

/** The key, its state, and what is known of it. */
export function entryHeader(entry) {
  const { key, state, definition, type, codec, secret, required, layers = [] } = entry;
  const facts = [
    ['Definition', definition],
    ['Class', type],
    ['Format', codec],
    ['Revision in use', state === 'absent' ? undefined : entry.revision],
    ['Revision in etcd', entry.headRevision === entry.revision ? undefined : entry.headRevision],
    ['Source', state === 'absent' ? undefined : entry.source],
    ['Received', receivedAt(entry) && timeText(receivedAt(entry))],
    ['Layers', layers.length > 0 ? layers.map((layer) => layer.key ?? layer).join(' → ') : undefined],
  ].filter(([, value]) => value !== undefined && value !== '' && value !== 0);
  return element(
    'header',
    { className: 'entry-header' },
    element(
      'div',
      { className: 'title' },
      element('h2', { id: 'entry-title', tabIndex: -1 }, element('bdi', {}, key)),
      badge(state, stateTone(state)),
      required && badge('required'),
      secret && badge('secret'),
    ),
    element(
      'dl',
      { className: 'facts' },
      ...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, String(value)))),
    ),
    ...stateNotice(entry),
  );
}

function stateNotice({ state, revision, rejectedRevision, violations = [], headRevision }) {
  if (state === 'absent' && !headRevision) return [element('p', { className: 'hint' }, 'The key does not exist.')];
  if (rejectedRevision === undefined) return [];
  const inUse = revision > 0 ? `Revision ${revision} stays in use.` : 'The application has no value for this key.';
  return [
    element(
      'div',
      { className: 'notice' },
      `Revision ${rejectedRevision} was rejected. ${inUse}`,
      element('ul', {}, ...violations.map((violation) => element('li', {}, `${violationText(violation)}.`))),
    ),
  ];
}
