import { durationText, timeText } from './texts.js';

const text = (heading, read) => ({ heading, text: (item) => String(read(item) ?? '') });
const number = (heading, read) => ({
  heading,
  isNumber: true,
  text: (item) => read(item)?.toLocaleString() ?? '',
});
const state = (heading, read) => ({ heading, state: read });

const ownerName = (owner) => owner?.pod ?? 'nobody';

/** The tables of the live view that show the state and offer no action. `items` reads them from a cluster's state. */
export const TABLES = [
  {
    title: 'Connections',
    isWide: true,
    empty: 'Nothing is watched.',
    items: ({ targets }) => targets,
    keyOf: ({ target }) => target,
    columns: [
      text('Target', ({ target }) => target),
      state('State', (target) => target.state),
      number('Revision', ({ revision }) => revision),
      number('Keys', ({ keys }) => keys),
      number('Listeners', ({ listeners }) => listeners),
      text('Confirmed', ({ confirmedAgoMs }) =>
        confirmedAgoMs === undefined ? 'never' : `${durationText(confirmedAgoMs)} ago`,
      ),
    ],
  },
  {
    title: 'Cron jobs',
    isWide: true,
    empty: 'No cron job.',
    items: ({ crons }) => crons,
    keyOf: ({ name }) => name,
    columns: [
      text('Job', ({ name }) => name),
      text('Schedule', ({ expression }) => expression),
      state('Here', (cron) => cron.state),
      text('Owner', ({ owner }) => ownerName(owner)),
      text('Last tick', ({ lastTick }) => timeText(lastTick)),
      text('Next tick', ({ nextTick }) => timeText(nextTick)),
      number('Started', ({ started }) => started),
      number('Missed', ({ missed }) => missed),
      number('Failed', ({ failed }) => failed),
    ],
  },
  {
    title: 'Elections',
    empty: 'No election.',
    items: ({ coordination }) => coordination?.elections,
    keyOf: ({ name }) => name,
    columns: [
      text('Election', ({ name }) => name),
      state('Here', ({ isLeader }) => (isLeader ? 'leader' : 'candidate')),
      text('Leader', ({ leader }) => ownerName(leader)),
      text('Token', ({ leader }) => leader?.token),
    ],
  },
  {
    title: 'Locks',
    empty: 'This instance holds no lock and waits for none.',
    items: ({ coordination }) => coordination?.locks.map((lock, index) => ({ ...lock, id: `${lock.name} ${index}` })),
    keyOf: ({ id }) => id,
    columns: [
      text('Lock', ({ name }) => name),
      state('Here', (lock) => lock.state),
      text('Token', ({ token }) => token),
    ],
  },
  {
    title: 'Services',
    empty: 'This instance follows no service and is registered in none.',
    items: ({ coordination }) => servicesOf(coordination),
    keyOf: ({ service }) => service,
    columns: [
      text('Service', ({ service }) => service),
      text('Instances', ({ instances }) => instances?.toLocaleString() ?? 'not followed'),
      text('Registrations of this instance', ({ registered }) => registered),
    ],
  },
  {
    title: 'Live resources',
    empty: 'No resource is made with liveProvider.',
    items: ({ live }) => live,
    keyOf: ({ name }) => name,
    columns: [
      text('Resource', ({ name }) => name),
      state('State', (resource) => resource.state),
      number('Replacements', ({ replacements }) => replacements),
      number('Failures', ({ failures }) => failures),
      number('In use', ({ uses }) => uses),
      number('Draining', ({ draining }) => draining),
    ],
  },
];

function servicesOf(coordination) {
  if (!coordination) return [];
  const { followedServices, registrations } = coordination;
  const names = new Set([...followedServices, ...registrations].map(({ service }) => service));
  return [...names].map((service) => {
    const own = registrations.filter((each) => each.service === service);
    const lost = own.filter(({ isRegistered }) => !isRegistered).length;
    return {
      service,
      instances: followedServices.find((each) => each.service === service)?.instances,
      registered: own.length === 0 ? 'none' : `${own.length}${lost > 0 ? ` (${lost} not confirmed)` : ''}`,
    };
  });
}
