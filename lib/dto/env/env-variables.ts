import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { printable, quoted } from '../../foreign/foreign-text.js';
import type { PropertyShape } from './property-shape.js';

/** One property of a document that an environment variable can set. */
export interface EnvVariable {
  readonly variable: string;
  /** Names from the document to the property. */
  readonly names: readonly string[];
  readonly kind: Exclude<PropertyShape['kind'], 'object'>;
}

/** Names of the variables: a prefix, and the separator between the names of nested properties. */
export interface EnvNames {
  readonly prefix: string;
  readonly separator: string;
}

/**
 * Lists the variables that can set the properties, by name.
 * @throws InvalidOptionsError if two properties have the same variable
 */
export function envVariables(
  subject: string,
  shapes: readonly PropertyShape[],
  { prefix, separator }: EnvNames,
): ReadonlyMap<string, EnvVariable> {
  const variables = new Map<string, EnvVariable>();
  addAll(shapes, prefix, []);
  return variables;

  function addAll(properties: readonly PropertyShape[], start: string, around: readonly string[]): void {
    for (const { name, kind, properties: inner } of properties) {
      const variable = start + variableName(name);
      const names = [...around, name];
      if (kind === 'object') addAll(inner, variable + separator, names);
      else add({ variable, names, kind });
    }
  }

  function add(added: EnvVariable): void {
    const known = variables.get(added.variable);
    if (known) {
      const [first, second] = [known, added].map(({ names }) => quoted(names.join('.')));
      throw new InvalidOptionsError(
        `${subject}: the variable ${printable(added.variable)} would set both ${first ?? ''} and ${second ?? ''}: choose another separator, or rename one of them`,
      );
    }
    variables.set(added.variable, added);
  }
}

/** `maxConnections`, `max-connections` and `max_connections` become `MAX_CONNECTIONS`; `tlsCA` becomes `TLS_CA`. */
const variableName = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replace(/[^A-Za-z\d]+/g, '_')
    .toUpperCase();
