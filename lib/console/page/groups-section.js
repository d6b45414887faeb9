import { api } from './api.js';
import { confirm } from './dialogs.js';
import { button, element, setText } from './element.js';
import { KeyedTable } from './keyed-table.js';
import { parkedDialog } from './parked-dialog.js';
import { durationText } from './texts.js';

/** The handler groups, with the owner and the lag of each partition, and their parked events. */
export class GroupsSection {
  #session;
  #groups = new Map();
  #list = element('div');
  #empty = element('p', { className: 'hint' }, 'This instance takes part in no handler group.');
  #message = element('p', { className: 'hint', role: 'status' });

  constructor(session) {
    this.#session = session;
    this.element = element(
      'section',
      { className: 'wide' },
      element('h2', {}, 'Groups'),
      this.#empty,
      this.#list,
      this.#message,
    );
  }

  update() {
    const groups = this.#session.clusterState?.coordination?.groups ?? [];
    this.#empty.hidden = groups.length > 0;
    const shown = new Map(groups.map(({ name }) => [name, this.#groups.get(name) ?? this.#groupOf(name)]));
    if ([...shown.keys()].join('\0') !== [...this.#groups.keys()].join('\0')) {
      this.#list.replaceChildren(...[...shown.values()].map((group) => group.element));
    }
    this.#groups = shown;
    for (const group of groups) shown.get(group.name).update(group);
  }

  #groupOf(name) {
    const about = element('p', { className: 'hint' });
    const problems = element('ul', { className: 'error', hidden: true });
    const show = button('Show parked events', () => void parkedDialog(this.#session.clusterName, name), {
      className: 'quiet',
    });
    const redrive = button('Redrive', () => void this.#redrive(name), { className: 'quiet' });
    const table = partitionsTable(name);
    return {
      element: element(
        'div',
        { className: 'group-section' },
        element('h3', {}, name),
        about,
        problems,
        table.element,
        element('div', { className: 'actions' }, show, redrive),
      ),
      update: ({ handler, target, partitions, parked, problems: sentences }) => {
        setText(
          about,
          `${handler} · ${target} · ${parked.toLocaleString()} parked ${parked === 1 ? 'event' : 'events'}`,
        );
        table.update(partitions);
        problems.replaceChildren(...sentences.map((sentence) => element('li', {}, sentence)));
        problems.hidden = sentences.length === 0;
        show.hidden = parked === 0;
        redrive.hidden = parked === 0 || !this.#session.state.write;
        redrive.disabled = !this.#session.isWritable;
      },
    };
  }

  async #redrive(group) {
    const confirmed = await confirm({
      title: `Redrive the parked events of ${group}?`,
      text: 'The handler is called again for each parked event.',
      action: 'Redrive',
    });
    if (!confirmed) return;
    try {
      const { redriven } = await api.redrive({ cluster: this.#session.clusterName, group });
      this.#say(`${redriven} ${redriven === 1 ? 'event is' : 'events are'} handled again.`);
    } catch (error) {
      this.#say(`Not redriven: ${error.message}`, true);
    }
  }

  #say(text, isError = false) {
    this.#message.className = isError ? 'error' : 'hint';
    setText(this.#message, text);
  }
}

const partitionsTable = (name) =>
  new KeyedTable({
    label: `Partitions of ${name}`,
    empty: 'No partition.',
    keyOf: ({ partition }) => partition,
    columns: [
      { heading: 'Partition', text: ({ partition }) => partition },
      { heading: 'State', state: ({ state }) => state },
      { heading: 'Owner', text: ({ owner }) => owner?.pod ?? 'nobody' },
      { heading: 'Revision', isNumber: true, text: ({ revision }) => revision?.toLocaleString() },
      { heading: 'Pending', isNumber: true, text: ({ pending }) => pending?.toLocaleString() },
      { heading: 'Lag', isNumber: true, text: ({ lag }) => lag?.toLocaleString() },
      {
        heading: 'Oldest',
        text: ({ lagMs }) => (lagMs === undefined ? '' : lagMs === 0 ? 'none' : durationText(lagMs)),
      },
      { heading: 'Stalls', isNumber: true, text: ({ stalls }) => stalls?.toLocaleString() },
    ],
  });
