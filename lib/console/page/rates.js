import { PLOT_SECONDS } from './plot.js';

/** The counters of the handlers. */
const NONE = { calls: 0, failures: 0, timedCalls: 0, timedMs: 0 };

/** Counts what happens each second since the page was opened, also while another view is shown. */
export class Rates {
  #events = 0;
  #counters;
  /** Increases since the last second. */
  #increase = NONE;
  samples = { events: [], calls: [], failures: [], latency: [] };

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
    const now = Object.fromEntries(Object.keys(NONE).map((name) => [name, sum(name)]));
    // Another cluster, or an application that has started again, counts anew.
    const before = this.#counters;
    if (before?.cluster === clusterName && now.calls >= before.calls) {
      const grown = (name) => this.#increase[name] + Math.max(0, now[name] - before[name]);
      this.#increase = Object.fromEntries(Object.keys(NONE).map((name) => [name, grown(name)]));
    }
    this.#counters = { ...now, cluster: clusterName };
  }

  #sample() {
    const { calls, failures, timedCalls, timedMs } = this.#increase;
    const { samples } = this;
    const latency = timedCalls === 0 ? 0 : timedMs / timedCalls;
    for (const [name, value] of Object.entries({ events: this.#events, calls, failures, latency })) {
      samples[name] = [...samples[name], value].slice(-PLOT_SECONDS);
    }
    this.#events = 0;
    this.#increase = NONE;
  }
}
