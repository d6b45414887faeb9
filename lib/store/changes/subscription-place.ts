import { fileURLToPath } from 'node:url';
import { printable } from '../../foreign/foreign-text.js';

/** Returns the place in the application that called the library; `undefined` if the stack does not tell. */
export function callingPlace(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = MAX_FRAMES;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  const foreign = foreignPaths();
  const frame = stack
    .split('\n')
    .slice(1)
    .find((line) => FRAME.test(line) && !foreign.some((path) => line.includes(path)));
  return frame && printable(frame.trim().replace(/^at /, ''));
}

const MAX_FRAMES = 50;
const FRAME = /^ {4}at (?:.+ \()?.+:\d+:\d+\)?$/;

/** Parts of the lines of frames that are not of the application. */
function foreignPaths(): readonly string[] {
  const others = ['/node_modules/', '\\node_modules\\', 'node:'];
  try {
    const own = new URL('../../', import.meta.url);
    return [own.href, fileURLToPath(own), ...others];
  } catch {
    // A bundler may have removed the location of this file.
    return others;
  }
}
