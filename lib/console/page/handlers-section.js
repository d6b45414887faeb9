import { api } from './api.js';
import { button, element, setText } from './element.js';
import { KeyedTable } from './keyed-table.js';

/** The `@WatchKey` handlers with their counters. Each can be paused and resumed. */
export class HandlersSection {
  #session;
  #table;
  #actions = new Set();
  #error = element('p', { className: 'error', role: 'alert', hidden: true });

  constructor(session) {
    this.#session = session;
    const number = (heading, name) => ({ heading, isNumber: true, text: (item) => item[name].toLocaleString() });
    this.#table = new KeyedTable({
      label: 'Handlers',
      empty: 'No handler.',
      keyOf: ({ name, target }) => JSON.stringify([name, target]),
      columns: [
        { heading: 'Handler', text: ({ name }) => name },
        { heading: 'Target', text: ({ target }) => target },
        { heading: 'State', state: ({ state }) => state },
        number('Revision', 'revision'),
        number('Calls', 'calls'),
        number('Pending', 'pending'),
        number('Failures', 'failures'),
        number('Invalid', 'invalid'),
        { heading: 'Action', content: (latest) => [this.#actionOf(latest)] },
      ],
    });
    this.element = element(
      'section',
      { className: 'wide' },
      element('h2', {}, 'Handlers'),
      this.#error,
      this.#table.element,
    );
  }

  update() {
    this.#table.update(this.#session.clusterState?.handlers ?? []);
    for (const update of this.#actions) update();
  }

  #actionOf(latest) {
    const toggle = button('', () => void this.#toggle(latest()), { className: 'quiet' });
    this.#actions.add(() => {
      const handler = latest();
      if (!handler) return;
      const isPaused = handler.state === 'paused';
      setText(toggle, isPaused ? 'Resume' : 'Pause');
      toggle.ariaLabel = `${isPaused ? 'Resume' : 'Pause'} ${handler.name}`;
      toggle.disabled = !this.#session.isWritable || handler.state === 'closed';
      toggle.hidden = this.#session.state?.write === false;
    });
    return toggle;
  }

  async #toggle({ name, state }) {
    this.#error.hidden = true;
    try {
      const action = state === 'paused' ? 'resume' : 'pause';
      await api.handlers({ cluster: this.#session.clusterName, name, action });
    } catch (error) {
      setText(this.#error, error.message);
      this.#error.hidden = false;
    }
  }
}
