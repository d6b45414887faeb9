import { onAbort } from '../timing/on-abort.js';

/** Resolves when the signal has aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else onAbort(signal, resolve);
  });

/** True if a call has ended because its signal aborted: it may reject with the reason of the abort. Never throws. */
export function isEndedBy({ aborted, reason }: AbortSignal, error: unknown): boolean {
  try {
    return aborted && (error === reason || (error instanceof Error && error.name === 'AbortError'));
  } catch {
    return false;
  }
}
