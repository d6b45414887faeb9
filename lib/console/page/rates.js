import { PLOT_SECONDS } from './plot.js';

/** Counts what happens each second since the page was opened, also while another view is shown. */
export class Rates {
  #events = 0;
  #counters;
  /** Increases since the last second, of calls and failures. */
  #increase = { calls: 0, failures: 0 };
  samples = { events: [], calls: [], failures: [] };

  constructor(session) {
    session.on('change', () => (this.#events += 1));
    session.on('skipped', ({ count }) => (this.#events += count));
    session.on('state', () => this.#onState(session));
    setInterval(() => this.#sample(), 1_000);
  }

  #onState({ clusterState, isConnected, clusterName }) {
    if (!isConnected) return;
    const handlers = clusterState?.handlers ?? [];
    const sum = (name) => handlers.reduce((total, handler) => total + handler[name], 0);
    const now = { cluster: clusterName, calls: sum('calls'), failures: sum('failures') };
    // Another cluster, or an application that has started again, counts anew.
    if (this.#counters?.cluster === clusterName && now.calls >= this.#counters.calls) {
      this.#increase.calls += now.calls - this.#counters.calls;
      this.#increase.failures += Math.max(0, now.failures - this.#counters.failures);
    }
    this.#counters = now;
  }

  #sample() {
    const { calls, failures } = this.#increase;
    const { samples } = this;
    for (const [name, value] of Object.entries({ events: this.#events, calls, failures })) {
      samples[name] = [...samples[name], value].slice(-PLOT_SECONDS);
    }
    this.#events = 0;
    this.#increase = { calls: 0, failures: 0 };
  }
}
