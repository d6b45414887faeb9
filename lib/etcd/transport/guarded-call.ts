import { describeThrown } from '../../foreign/foreign-error.js';

/** Calls a callback of the application. What it throws becomes a process warning: there is nobody else to tell. */
export function guardedCall(callback: () => void): void {
  try {
    callback();
  } catch (thrown) {
    process.emitWarning(`a callback of the HTTP/2 transport failed: ${describeThrown(thrown)}`);
  }
}
