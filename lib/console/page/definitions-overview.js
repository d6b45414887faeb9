import { badge, element } from './element.js';
import { navigate, routeTo } from './route.js';

/** The definitions of a cluster, shown while no key is open. */
export function definitionsOverview(session) {
  const { definitions = [] } = session.clusterState ?? {};
  if (definitions.length === 0) {
    return element(
      'p',
      { className: 'hint' },
      'This cluster has no configuration. Add one with EtcdTriggerModule.forFeature().',
    );
  }
  const headings = ['Definition', 'Class', 'Format', 'Keys', 'Invalid', 'Notes'].map((text) =>
    element('th', { scope: 'col' }, text),
  );
  const rows = definitions.map((definition) => rowOf(session, definition));
  return element(
    'div',
    {},
    element('h2', {}, 'Definitions'),
    element('p', { className: 'hint' }, 'Choose a key in the list, or one of the definitions.'),
    element(
      'div',
      { className: 'scrolls', tabIndex: 0, role: 'region', ariaLabel: 'Definitions' },
      element('table', {}, element('thead', {}, element('tr', {}, ...headings)), element('tbody', {}, ...rows)),
    ),
  );
}

function rowOf(session, { target, type, codec, keys, invalid, required, secret, layers }) {
  const name = target.key ?? target.prefix;
  const parameters = {
    cluster: session.clusterName,
    ...(target.key === undefined ? { definition: name } : { key: name }),
  };
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, element('a', { href: routeTo('configuration', parameters) }, name || '(all keys)')),
    element('td', {}, type),
    element('td', {}, codec),
    element('td', { className: 'number' }, keys.toLocaleString()),
    element('td', { className: 'number' }, invalid > 0 ? badge(String(invalid), 'bad') : '0'),
    element('td', {}, required && badge('required'), secret && badge('secret'), layers?.length > 0 && badge('layers')),
  );
}

/** A form for the key of a new document under a prefix. */
export function newKeyForm(prefix) {
  const name = element('input', {
    type: 'text',
    required: true,
    autocomplete: 'off',
    spellcheck: false,
    value: prefix,
  });
  const form = element(
    'form',
    { className: 'new-key' },
    element('label', {}, element('span', {}, 'New key'), name),
    element('button', { type: 'submit', className: 'quiet' }, 'Create…'),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (name.value !== prefix) navigate({ key: name.value, tab: undefined, layer: undefined });
  });
  return form;
}
