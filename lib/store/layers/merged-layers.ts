import type { ConfigOrigin, ConfigViolation } from '../../etcd-trigger.errors.js';
import { type DocumentPart, mergedDocument, originsIn } from '../../dto/document-merge.js';
import { JSON_FORMAT } from '../../dto/formats/json-format.js';
import type { JsonObject } from '../../dto/json-object.js';

/** The document of one layer at one revision. */
export interface LayerDocument {
  readonly key: string;
  /** Revision of its last write; 0 if there is none. */
  readonly revision: number;
  /** `undefined` if there is none. */
  readonly bytes: Buffer | undefined;
}

/** The document that default, layers and override result in. */
export class MergedLayers {
  readonly document: JsonObject;
  /** The document as JSON; identifies this merge. */
  readonly bytes: Buffer;
  #origins: ReadonlyMap<string, ConfigOrigin> | undefined;

  constructor(
    readonly layers: readonly LayerDocument[],
    readonly parts: readonly DocumentPart<ConfigOrigin>[],
  ) {
    this.document = mergedDocument(parts.map(({ document }) => document));
    this.bytes = JSON_FORMAT.write(this.document);
  }

  /** Adds to each violation the origin of its property, if it is a single one. */
  located(violations: readonly ConfigViolation[]): ConfigViolation[] {
    return violations.map((violation) => {
      const origin = this.#originOf(violation.path);
      return origin ? { ...violation, origin } : violation;
    });
  }

  /**
   * Returns the origins of the properties of a value by path. `known`: the part of the document that its class knows.
   * `plain`: the value as a document, with the properties that the class or schema has added.
   */
  originsOf(known: JsonObject, plain: JsonObject): Readonly<Record<string, ConfigOrigin>> {
    const origins = originsIn(known, this.parts);
    const shown = originsIn<ConfigOrigin>(plain, [{ document: plain, origin: FROM_TYPE }]);
    for (const [path, origin] of shown) {
      if (![path, ...pathsAround(path)].some((each) => origins.has(each))) origins.set(path, origin);
    }
    return Object.freeze(Object.fromEntries(origins));
  }

  #originOf(path: string): ConfigOrigin | undefined {
    this.#origins ??= originsIn(this.document, this.parts);
    for (const each of [path, ...pathsAround(path)]) {
      const origin = this.#origins.get(each);
      if (origin) return origin;
    }
    return path === '' ? undefined : onlyOriginInside(path, this.#origins);
  }
}

const FROM_TYPE: ConfigOrigin = Object.freeze({ source: 'type' });

/** Returns the origin that all properties inside of an object have; `undefined` if they have several or there are none. */
function onlyOriginInside(path: string, origins: ReadonlyMap<string, ConfigOrigin>): ConfigOrigin | undefined {
  let only: ConfigOrigin | undefined;
  for (const [each, origin] of origins) {
    if (!each.startsWith(path) || !STEPS.includes(each.charAt(path.length))) continue;
    if (only && only !== origin) return undefined;
    only = origin;
  }
  return only;
}

const STEPS = '.[';

/** `a.b[0].c` has `a.b[0]`, `a.b` and `a` around it. */
function pathsAround(path: string): string[] {
  const around: string[] = [];
  for (let end = lastStep(path); end > 0; end = lastStep(path.slice(0, end))) around.push(path.slice(0, end));
  return around;
}

const lastStep = (path: string): number => Math.max(path.lastIndexOf('.'), path.lastIndexOf('['));
