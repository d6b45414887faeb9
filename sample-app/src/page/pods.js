import { byId, element, setText } from './element.js';
import { row } from './tables.js';

/** Shows who leads, what is locked, the cron jobs and the instances. */
export function showPods({ pod, instances, totals, elections, locks, crons, problems }) {
  const [election] = elections;
  setText(byId('leader'), leaderText(election, pod));
  setText(byId('totals'), totals ? `${totals.orders} orders, total ${totals.total}` : 'no orders');
  setText(byId('pods-problem'), problems.join('. '));
  byId('pods-problem').hidden = problems.length === 0;
  byId('instance-rows').replaceChildren(
    ...instances.map((instance) =>
      row(
        `${instance.pod}${instance.pod === pod ? ' (this one)' : ''}`,
        element('a', { href: instance.url }, instance.url),
        instance.pid,
        instance.pod === election?.leader?.pod ? badge('leader', true) : '',
      ),
    ),
  );
  byId('cron-rows').replaceChildren(
    ...crons.map(({ name, state, owner, lastTick, nextTick, started }) =>
      row(name, badge(state, state === 'owner'), owner?.pod ?? 'nobody', time(lastTick), time(nextTick), started),
    ),
  );
  byId('locks').hidden = locks.length === 0;
  byId('lock-rows').replaceChildren(
    ...locks.map(({ name, state, token }) => row(name, badge(state, state === 'held'), token ?? '')),
  );
}

/** The button takes stock on this instance, when it is its turn. */
export function offerStocktaking() {
  byId('stocktaking').addEventListener('click', () => void takeStock());
}

async function takeStock() {
  const result = byId('stocktaking-result');
  setText(result, 'Waiting for the lock, then counting for 5 s…');
  try {
    const response = await fetch('stocktaking', { method: 'POST' });
    const { orders, by, message } = await response.json();
    setText(result, response.ok ? `${by} has counted ${orders} orders.` : `Not counted: ${message}`);
  } catch {
    setText(result, 'The app did not respond.');
  }
}

function leaderText(election, pod) {
  const leader = election?.leader;
  if (!leader) return 'Nobody leads.';
  return `${leader.pod === pod ? 'This instance' : leader.pod} leads (token ${leader.token}).`;
}

const badge = (text, isGood) => element('span', { className: isGood ? 'badge good' : 'badge' }, text);

const time = (iso) => (iso ? new Date(iso).toLocaleTimeString() : 'none');
