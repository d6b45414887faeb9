import { fileURLToPath } from 'node:url';
import { printable } from '../foreign/foreign-text.js';

/** The version of this package. A test compares it with package.json. */
export const PACKAGE_VERSION = '0.1.0';

/** One loaded copy of this package. */
export interface PackageCopy {
  readonly version: string;
  /** The folder of the package, or `a bundle`. */
  readonly place: string;
}

/** The property by which markers in the module graph carry the copy that they belong to. All copies share it. */
export const COPY = Symbol.for('nestjs-etcd-trigger:copy');

const LOADED = Symbol.for('nestjs-etcd-trigger:loaded-copies');

export const OWN_COPY: PackageCopy = { version: PACKAGE_VERSION, place: placeOf(import.meta.url) };

/** Returns the other copies that some of the objects belong to. */
export const otherCopiesIn = (objects: readonly unknown[]): PackageCopy[] =>
  objects.map(copyOf).filter((copy): copy is PackageCopy => copy !== undefined && copy !== OWN_COPY);

/** For messages: names this copy and another one, and says what to do. */
export const describeCopies = (other: PackageCopy): string =>
  `two copies of nestjs-etcd-trigger are in use, ${describe(OWN_COPY)} and ${describe(other)}: install one version for all packages ("npm ls nestjs-etcd-trigger" shows who needs which), and bundle it once or not at all`;

function describe({ version, place }: PackageCopy): string {
  return `${printable(version)} in ${printable(place)}`;
}

/** The object is any provider of the application, perhaps a Proxy. */
function copyOf(object: unknown): PackageCopy | undefined {
  try {
    const copy: unknown = typeof object === 'object' && object !== null ? Reflect.get(object, COPY) : undefined;
    return isCopy(copy) ? copy : undefined;
  } catch {
    return undefined;
  }
}

const isCopy = (copy: unknown): copy is PackageCopy =>
  typeof copy === 'object' && copy !== null && 'place' in copy && typeof copy.place === 'string';

/** Some bundlers leave `import.meta.url` empty. */
function placeOf(url: string | undefined): string {
  return url?.startsWith('file:') === true ? fileURLToPath(new URL('../..', url)) : 'a bundle';
}

/**
 * Nest cannot resolve a service that one copy provides and another one injects, and its error does not say why. So a
 * second copy is a warning when it is loaded. It is written at once: Nest ends the process before Node would print a
 * warning of `process.emitWarning`.
 */
function warnOfOtherPlaces(): void {
  const shared = globalThis as { [LOADED]?: Map<string, PackageCopy> | undefined };
  const loaded = (shared[LOADED] ??= new Map<string, PackageCopy>());
  const [other] = [...loaded.values()].filter(({ place }) => place !== OWN_COPY.place);
  loaded.set(OWN_COPY.place, OWN_COPY);
  if (other) process.stderr.write(`Warning: ${describeCopies(other)}\n`);
}

warnOfOtherPlaces();
