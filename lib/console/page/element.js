/** Creates an element with properties, attributes and children. Text is inserted as text, never as markup. */
export function element(tag, { attributes = {}, dataset, ...properties } = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  Object.assign(created.dataset, dataset);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children.filter((child) => child !== undefined && child !== false));
  return created;
}

export const byId = (id) => document.getElementById(id);

/** Does not touch an unchanged text, because screen readers announce every change in a live region. */
export function setText(target, text) {
  if (target.textContent !== String(text)) target.textContent = text;
}

/** `tone` is `good`, `bad` or `neutral`. */
export const badge = (text, tone = 'neutral') => element('span', { className: `badge ${tone}` }, text);

export function setBadge(target, text, tone) {
  setText(target, text);
  target.className = `badge ${tone}`;
}

export function button(text, onClick, properties = {}) {
  const created = element('button', { type: 'button', ...properties }, text);
  created.addEventListener('click', onClick);
  return created;
}

let ids = 0;

/** Returns an id that no other element of the page has. */
export const nextId = (name) => `${name}-${(ids += 1)}`;

/** Says a sentence to screen readers. */
export const announce = (text) => setText(byId('announcement'), text);
