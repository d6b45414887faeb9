import { ChangeStream } from './change-stream.js';
import { ConfigurationView } from './configuration-view.js';
import { ConnectionBanner } from './connection-banner.js';
import { byId, element } from './element.js';
import { follow } from './event-stream.js';
import { LiveView } from './live-view.js';
import { Rates } from './rates.js';
import { currentRoute, navigate } from './route.js';
import { Session } from './session.js';

const session = new Session();
const rates = new Rates(session);
const stream = new ChangeStream(session);
const banner = new ConnectionBanner(session);

let view;
let viewName;
let shownHash = location.hash;

addEventListener('hashchange', showRoute);
addEventListener('keydown', onKey);
addEventListener('beforeunload', (event) => {
  if (view?.isDirty) event.preventDefault();
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
byId('cluster').addEventListener('change', () =>
  navigate({ cluster: byId('cluster').value, key: undefined, tab: undefined, layer: undefined, definition: undefined }),
);
session.on('state', () => {
  banner.update();
  showClusters();
  if (!view && session.state) showRoute();
});
void follow(
  'api/events',
  {
    state: (state) => session.onState(state),
    change: (change) => session.onChange(change),
    refused: (refused) => session.onChange({ ...refused, type: 'refused' }),
    healed: (healed) => session.onChange({ ...healed, type: 'healed' }),
    skipped: (skipped) => session.onSkipped(skipped),
  },
  (status) => session.onLost(status),
);

function showRoute() {
  if (!session.state) return;
  const { view: name, parameters } = currentRoute();
  const isOther = name !== viewName;
  if (isOther && view && !view.canLeave()) return stay();
  session.cluster = parameters.get('cluster') ?? undefined;
  if (isOther) open(name);
  if (!view.show(parameters)) return stay();
  shownHash = location.hash;
  showClusters();
  for (const each of ['configuration', 'live']) {
    if (each === name) byId(`${each}-link`).setAttribute('aria-current', 'page');
    else byId(`${each}-link`).removeAttribute('aria-current');
  }
}

function open(name) {
  view?.close();
  viewName = name;
  view = name === 'live' ? new LiveView(session, { rates, stream }) : new ConfigurationView(session);
  byId('main').replaceChildren(view.element);
  document.title = `${name === 'live' ? 'Live' : 'Configuration'} · etcd console`;
}

/** Goes back to the view that is shown, which the user does not want to leave. */
const stay = () => history.replaceState(null, '', shownHash || '#/configuration');

function showClusters() {
  const names = (session.state?.clusters ?? []).map(({ name }) => name);
  byId('cluster-choice').hidden = names.length < 2;
  const select = byId('cluster');
  if (select.options.length !== names.length) {
    select.replaceChildren(...names.map((name) => element('option', { value: name }, name)));
  }
  if (session.clusterName !== undefined) select.value = session.clusterName;
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector('dialog[open]')) return;
  const isTyping = event.target.matches?.('input, textarea, select');
  if (event.key === 'Escape' && isTyping) event.target.blur();
  else if (event.key === 'Escape' || (event.key === '/' && !isTyping)) {
    view?.onShortcut(event.key);
    if (event.key === '/') event.preventDefault();
  }
}
