import { printable } from './foreign-text.js';

/** Name of a class for messages. A static member called `name` hides the name of its class. */
export function className(type: unknown): string {
  try {
    const name: unknown = typeof type === 'function' && Object.getOwnPropertyDescriptor(type, 'name')?.value;
    return typeof name === 'string' && name !== '' ? printable(name) : ANONYMOUS;
  } catch {
    return ANONYMOUS;
  }
}

const ANONYMOUS = '(anonymous class)';
