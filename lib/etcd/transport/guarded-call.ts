/** Calls a callback of the application. What it throws becomes a process warning: there is nobody else to tell. */
export function guardedCall(callback: () => void): void {
  try {
    callback();
  } catch (thrown) {
    process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
  }
}
