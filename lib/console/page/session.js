/** The last state of the application, and the state of the connection to it. */
export class Session extends EventTarget {
  /** The last `state` of the application; `undefined` before the first one. */
  state;
  /** When the connection was lost; `undefined` while it is connected or has never been. */
  lostAt;
  /** Status of the last answer that was not an event stream. */
  refusedWith;
  cluster;

  /** True if the application takes writes and can be reached. */
  get isWritable() {
    return this.isConnected && this.state.write;
  }

  get isConnected() {
    return this.state !== undefined && this.lostAt === undefined;
  }

  /** The state of the chosen cluster. */
  get clusterState() {
    const clusters = this.state?.clusters ?? [];
    return clusters.find(({ name }) => name === this.cluster) ?? clusters[0];
  }

  get clusterName() {
    return this.clusterState?.name;
  }

  onState(state) {
    const isBack = this.lostAt !== undefined;
    this.state = state;
    this.lostAt = undefined;
    this.refusedWith = undefined;
    this.#emit('state');
    if (isBack) this.#emit('reconnected');
  }

  onLost(status) {
    this.refusedWith = status === 200 ? undefined : status;
    if (this.state !== undefined) this.lostAt ??= new Date();
    this.#emit('state');
  }

  onChange(change) {
    this.dispatchEvent(new CustomEvent('change', { detail: change }));
  }

  onSkipped(skipped) {
    this.dispatchEvent(new CustomEvent('skipped', { detail: skipped }));
  }

  /** Calls the listener until the signal aborts. */
  on(type, listener, signal) {
    this.addEventListener(type, ({ detail }) => listener(detail), { signal });
  }

  #emit(type) {
    this.dispatchEvent(new CustomEvent(type));
  }
}
