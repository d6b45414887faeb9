/** Node's longest timer. */
const INTERVAL_MS = 0x7fffffff;

/**
 * Settles as the promise. The process does not end by itself before: the application waits for the promise, and may have
 * nothing else that keeps Node running, such as a server. Pauses between attempts keep no process alive.
 */
export async function keepingAlive<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, INTERVAL_MS);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
