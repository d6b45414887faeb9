/** The callbacks of a signal, behind one listener. */
interface Callbacks {
  readonly all: Set<() => void>;
  readonly stop: () => void;
}

const callbacksBySignal = new WeakMap<AbortSignal, Callbacks>();

/**
 * Calls back when the signal aborts, but not if it has aborted already. All callbacks of a signal share one listener,
 * because Node warns of more than ten. Returns a function that removes the callback.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => undefined;
  const callbacks = callbacksBySignal.get(signal) ?? listenTo(signal);
  const call = (): void => {
    callback();
  };
  callbacks.all.add(call);
  return () => {
    callbacks.all.delete(call);
    if (callbacks.all.size === 0) callbacks.stop();
  };
}

function listenTo(signal: AbortSignal): Callbacks {
  const all = new Set<() => void>();
  const aborted = (): void => {
    stop();
    for (const call of [...all]) call();
  };
  const stop = (): void => {
    signal.removeEventListener('abort', aborted);
    if (callbacksBySignal.get(signal) === callbacks) callbacksBySignal.delete(signal);
  };
  const callbacks: Callbacks = { all, stop };
  callbacksBySignal.set(signal, callbacks);
  signal.addEventListener('abort', aborted);
  return callbacks;
}
