import { byId, element } from './element.js';

export function showHandlers(handlers) {
  const rows = handlers.map(({ name, target, state, revision, calls, pending, failures }) =>
    row(name, target, stateBadge(state), revision, calls, pending, failures),
  );
  byId('handler-rows').replaceChildren(...rows);
}

export function showTargets(targets) {
  const rows = targets.map(({ target, state, revision, keys, listeners }) =>
    row(target, stateBadge(state), revision, keys, listeners),
  );
  byId('target-rows').replaceChildren(...rows);
}

/** A row of a table: its name, then its other cells. */
export const row = (name, ...cells) =>
  element('tr', {}, element('th', { scope: 'row' }, name), ...cells.map((cell) => element('td', {}, cell)));

const stateBadge = (state) => element('span', { className: `badge ${state === 'following' ? 'good' : 'bad'}` }, state);
