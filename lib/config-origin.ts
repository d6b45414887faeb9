import { printable, quoted } from './foreign/foreign-text.js';

/**
 * A part of a configuration with layers or an override: the layer with this key, the override (with the environment
 * variable, for `fromEnv`), the `default` of the definition, or the class or schema, whose initializers, defaults and
 * transformations add properties.
 */
export type ConfigOrigin =
  | { readonly source: 'layer'; readonly layer: string }
  | { readonly source: 'override'; readonly variable?: string }
  | { readonly source: 'default' }
  | { readonly source: 'type' };

/** Returns where a property comes from, to follow its path in a message; `''` for a configuration without layers. */
export function originText(origin: ConfigOrigin | undefined): string {
  if (!origin) return '';
  if (origin.source === 'layer') return ` of layer ${quoted(origin.layer)}`;
  if (origin.source !== 'override') return ` of the ${origin.source}`;
  return origin.variable === undefined ? ' of the override' : ` of the variable ${printable(origin.variable)}`;
}
