/** The application sends something every 2 s; silence means that nobody is there any more. */
const SILENCE_MS = 6_000;

const AGAIN_MS = 1_000;

/** Listens to the application's events, and again after every break. `listeners` are called with what is sent, by its type. */
export function connect(url, listeners, lost) {
  const source = new EventSource(url);
  let silence;
  const again = () => {
    clearTimeout(silence);
    source.close();
    lost();
    setTimeout(() => connect(url, listeners, lost), AGAIN_MS);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(again, SILENCE_MS);
  };
  heard();
  source.addEventListener('error', again);
  source.addEventListener('beat', heard);
  for (const [type, listener] of Object.entries(listeners)) {
    source.addEventListener(type, ({ data }) => {
      heard();
      listener(JSON.parse(data));
    });
  }
}
