import { announce, showActivity, showHistory } from './activity-list.js';
import { ConfigurationCard } from './configuration-card.js';
import { byId, setBadge, setText } from './element.js';
import { connect } from './live-connection.js';
import { offerStocktaking, showPods } from './pods.js';
import { showHandlers, showTargets } from './tables.js';

const cards = new Map();
let lostAt;

offerStocktaking();
connect('live', { state: show, history: showHistory, activity: showActivity }, lost);

function show(state) {
  if (lostAt) announce('The app is connected again.');
  lostAt = undefined;
  document.body.classList.remove('lost');
  setBadge(byId('app-connection'), 'connected', true);
  setBadge(byId('etcd-connection'), state.isFollowing ? 'connected' : 'not connected', state.isFollowing);
  showNotice(
    state.isFollowing
      ? ''
      : 'The app has lost its connection to etcd. It keeps using the last known configuration and catches up when etcd is available again. Until then, nothing can be saved.',
  );
  setText(byId('connects-to'), state.connectsTo);
  for (const configuration of state.configurations) cardOf(configuration.name).show(configuration);
  showHandlers(state.handlers);
  showTargets(state.targets);
  showPods(state.pods);
}

/** While the application is unreachable, the state of etcd is unknown too. */
function lost() {
  lostAt ??= new Date();
  document.body.classList.add('lost');
  setBadge(byId('app-connection'), 'not connected', false);
  setBadge(byId('etcd-connection'), 'unknown', false);
  showNotice(
    `This page has lost its connection to the app. It shows the state of ${lostAt.toLocaleTimeString()} and reconnects automatically.`,
  );
}

function showNotice(text) {
  setText(byId('notice'), text);
  byId('notice').hidden = text === '';
}

function cardOf(name) {
  if (!cards.has(name)) {
    const card = new ConfigurationCard(name);
    cards.set(name, card);
    byId('cards').append(card.element);
  }
  return cards.get(name);
}
