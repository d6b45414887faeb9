/**
 * The view and its parameters are in the hash of the URL, so that every view can be linked:
 * `#/configuration?cluster=default&key=/app/db&tab=history`.
 */
export function currentRoute() {
  const [view = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { view: view === 'live' ? 'live' : 'configuration', parameters: new URLSearchParams(query) };
}

/** Returns the hash of a view. Parameters without a value are left out. */
export function routeTo(view, parameters) {
  const defined = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  const query = new URLSearchParams(defined).toString();
  return `#/${view}${query === '' ? '' : `?${query}`}`;
}

/** Changes some parameters of the current view. `replace` adds no step to the browser's history. */
export function navigate(changes, { replace = false } = {}) {
  const { view, parameters } = currentRoute();
  const hash = routeTo(view, { ...Object.fromEntries(parameters), ...changes });
  if (hash === location.hash) return;
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, '', hash);
  dispatchEvent(new HashChangeEvent('hashchange'));
}
