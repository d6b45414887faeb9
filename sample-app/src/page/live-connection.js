/** The application sends a heartbeat every 2 s, so a longer silenceTimer means that it is gone. */
const SILENCE_MS = 6_000;

const RETRY_MS = 1_000;

/** Receives the application's events and reconnects after every interruption. `listeners` are called by event type. */
export function connect(url, listeners, lost) {
  const source = new EventSource(url);
  let silenceTimer;
  const retry = () => {
    clearTimeout(silenceTimer);
    source.close();
    lost();
    setTimeout(() => connect(url, listeners, lost), RETRY_MS);
  };
  const restartTimer = () => {
    clearTimeout(silenceTimer);
    silenceTimer = setTimeout(retry, SILENCE_MS);
  };
  restartTimer();
  source.addEventListener('error', retry);
  source.addEventListener('heartbeat', restartTimer);
  for (const [type, listener] of Object.entries(listeners)) {
    source.addEventListener(type, ({ data }) => {
      restartTimer();
      listener(JSON.parse(data));
    });
  }
}
