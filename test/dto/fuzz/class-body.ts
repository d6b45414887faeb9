import type { Random } from '../../faults/lab/random.js';
import type { AnyClass } from '../../../lib/dto/class-metadata.js';

/** A class without decorators. */
export interface Body {
  readonly type: AnyClass & (new () => object);
  readonly description: string;
  /** True if its constructor returns an instance of another class. */
  readonly isForeign: boolean;
}

const method = (): string => 'a method';

/** Default values; each call returns a new value. */
const DEFAULTS: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  1: () => 1,
  '"a"': () => 'a',
  '[]': () => [],
  '[1, "a"]': () => [1, 'a'],
  '{ a: 1 }': () => ({ a: 1 }),
  'a Set': () => new Set(['', 'a']),
  'a Map': () => new Map([['a', '']]),
  'a Date': () => new Date(0),
  'a function': () => method,
};

/** Draws a class with default values, and with members of its prototype. */
export function drawBody(random: Random, names: readonly string[], base: Body['type'] | undefined): Body {
  const lines: string[] = [];
  const defaults = new Map<string, () => unknown>();
  for (const name of [...names, 'undecorated']) {
    if (!random.percent(12)) continue;
    const key = random.pick(Object.keys(DEFAULTS));
    defaults.set(name, DEFAULTS[key] as () => unknown);
    lines.push(`${name} = ${key}`);
  }
  const isForeign = random.percent(1);
  const hasHidden = random.percent(1);
  if (isForeign) lines.push('returns another object');
  if (hasHidden) lines.push('has a hidden property');
  const initialize = (instance: object): object | undefined => {
    for (const [name, value] of defaults) {
      Object.defineProperty(instance, name, { value: value(), enumerable: true, writable: true, configurable: true });
    }
    if (hasHidden) Object.defineProperty(instance, 'hidden', { value: 1, enumerable: false });
    return isForeign ? new Other() : undefined;
  };
  const type = base ? derived(base, initialize) : underived(initialize);
  lines.push(...drawPrototype(random, type.prototype as object, names));
  return { type, description: lines.join('; ') || 'a class', isForeign };
}

type Initialize = (instance: object) => object | undefined;

const underived = (initialize: Initialize): Body['type'] =>
  class Generated {
    constructor() {
      const other = initialize(this);
      if (other) return other;
    }
  };

const derived = (base: Body['type'], initialize: Initialize): Body['type'] =>
  class Derived extends base {
    constructor() {
      super();
      const other = initialize(this);
      if (other) return other;
    }
  };

/** Values of accessors. */
const assigned = new WeakMap<object, unknown>();

class Other {
  readonly other = true;
}

/** Adds methods, data and accessors, sometimes with the name of a decorated property. */
function drawPrototype(random: Random, prototype: object, names: readonly string[]): string[] {
  if (!random.percent(8)) return [];
  const name = random.pick([...names, 'member']);
  const [description, descriptor] = random.pick<[string, PropertyDescriptor]>([
    ['method', { value: method, writable: true, configurable: true }],
    ['prototype data', { value: 5, writable: true, configurable: true, enumerable: true }],
    ['getter', { get: () => 'got', configurable: true }],
    [
      'accessor',
      {
        get(this: object) {
          return assigned.get(this);
        },
        set(this: object, value: unknown) {
          assigned.set(this, value);
        },
        configurable: true,
      },
    ],
  ]);
  Object.defineProperty(prototype, name, descriptor);
  return [`${description} ${name}`];
}
