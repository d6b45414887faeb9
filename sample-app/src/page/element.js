/** Creates an element with properties and children. Text is inserted as text, never as markup. */
export function element(tag, { dataset, ...properties } = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  Object.assign(created.dataset, dataset);
  created.append(...children);
  return created;
}

export const byId = (id) => document.getElementById(id);

/** Does not touch an unchanged text, because screen readers announce every change in a live region. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function setBadge(target, text, isGood) {
  setText(target, text);
  target.className = `badge ${isGood ? 'good' : 'bad'}`;
}
