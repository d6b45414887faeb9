import 'reflect-metadata';

/** The same symbol in every copy of this package. */
const SECRETS = Symbol.for('nestjs-etcd-trigger:secrets');

/** Adds a property to the secrets of a class. */
export function addSecretName(prototype: object, name: string): void {
  const own = (Reflect.getOwnMetadata(SECRETS, prototype) ?? []) as readonly string[];
  Reflect.defineMetadata(SECRETS, [...own, name], prototype);
}

/** True if the class, or an ancestor, declares the property as a secret. */
export function isDeclaredSecret(prototype: object, name: string): boolean {
  for (let owner: object | null = prototype; owner; owner = Object.getPrototypeOf(owner) as object | null) {
    const own = Reflect.getOwnMetadata(SECRETS, owner) as readonly string[] | undefined;
    if (own?.includes(name)) return true;
  }
  return false;
}

/** True if the class, or an ancestor, declares a secret. */
export const declaresSecrets = (prototype: object): boolean => Reflect.hasMetadata(SECRETS, prototype);

/** True if the property of this object is a secret: its class declares it, or the object was marked. */
export function isSecretName(object: object, name: string): boolean {
  const marked = marks.get(object);
  return marked === 'all' || marked?.has(name) === true || isDeclaredSecret(object, name);
}

/** Marks all properties of an object, or some, as secrets. */
export function markSecret(object: object, names: ReadonlySet<string> | 'all'): void {
  const known = marks.get(object);
  if (known === 'all') return;
  marks.set(object, names === 'all' || !known ? names : new Set([...known, ...names]));
}

/** True for a list, `Map` or similar that is a part of a secret, or contains one. */
export const isMarked = (object: object): boolean => marks.has(object);

const marks = new WeakMap<object, ReadonlySet<string> | 'all'>();
