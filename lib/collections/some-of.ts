import { quoted } from '../foreign/foreign-text.js';

/** Lists names in quotes for a message; after ten of them, only the number of the rest. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).map((name) => quoted(name));
  const rest = names.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

const SHOWN = 10;
