import { announce, byId, setBadge, setText } from './element.js';
import { timeText } from './texts.js';

/** Says if the page is connected to the application, and the application to etcd. */
export class ConnectionBanner {
  #session;
  #wasLost = false;

  constructor(session) {
    this.#session = session;
  }

  update() {
    const { isConnected, lostAt, state, clusterState } = this.#session;
    const isFollowing = (clusterState?.targets ?? []).every((target) => target.state !== 'interrupted');
    document.body.classList.toggle('lost', lostAt !== undefined);
    setBadge(byId('application-status'), isConnected ? 'connected' : 'not connected', isConnected ? 'good' : 'bad');
    if (!isConnected) setBadge(byId('etcd-status'), 'unknown', 'neutral');
    else setBadge(byId('etcd-status'), isFollowing ? 'connected' : 'not connected', isFollowing ? 'good' : 'bad');
    const notice = this.#noticeText(isFollowing);
    setText(byId('notice'), notice);
    byId('notice').hidden = notice === '';
    if (this.#wasLost && isConnected) announce('The application is connected again.');
    this.#wasLost = lostAt !== undefined;
    if (state) {
      const { podName, serviceName } = state.instance;
      const who = state.author ? ` You write as ${state.author}.` : '';
      const access = state.write ? '' : ' The console is read-only.';
      setText(byId('instance'), `Instance ${podName}${serviceName ? ` of ${serviceName}` : ''}.${access}${who}`);
    }
  }

  #noticeText(isFollowing) {
    const { isConnected, lostAt, refusedWith, clusterState } = this.#session;
    if (!isConnected) {
      if (refusedWith === 401 || refusedWith === 403) {
        return 'The application denies access to its console. Log in, then reload the page.';
      }
      return lostAt === undefined
        ? 'The application does not answer. The page tries again automatically.'
        : `The connection to the application is lost since ${timeText(lostAt)}. ` +
            'The page shows the state of that time, cannot write, and reconnects automatically.';
    }
    if (isFollowing) return '';
    const { failing = [] } = clusterState;
    const about = failing.length > 0 ? ` (${failing.length} deliveries fail)` : '';
    return (
      `The application has lost its connection to etcd${about}. It keeps the last known configuration ` +
      'and catches up when etcd is available again. Nothing can be saved until then.'
    );
  }
}
