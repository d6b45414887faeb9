/** The application sends something every 10 s, so a longer silence means that it is gone. */
const SILENCE_MS = 25_000;

const RETRY_MS = 1_000;

/**
 * Receives server-sent events and reconnects after every interruption. Reads the stream with `fetch` in place of
 * `EventSource`, which hides heartbeats and the status of an answer. `listeners` are called by event type.
 */
export async function follow(url, listeners, onLost) {
  for (;;) {
    const status = await receive(url, listeners).catch(() => undefined);
    onLost(status);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Resolves with the status when the stream ends. */
async function receive(url, listeners) {
  const silence = new AbortController();
  let timer;
  const restartTimer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  restartTimer();
  try {
    const response = await fetch(url, { signal: silence.signal, headers: { accept: 'text/event-stream' } });
    if (!response.ok) return response.status;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      restartTimer();
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) dispatch(block, listeners);
    }
    return response.status;
  } finally {
    clearTimeout(timer);
  }
}

function dispatch(block, listeners) {
  const lines = block.split('\n');
  const type =
    lines
      .find((line) => line.startsWith('event:'))
      ?.slice(6)
      .trim() ?? 'message';
  const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5));
  if (data.length > 0) listeners[type]?.(JSON.parse(data.join('\n')));
}
