import { isDeepStrictEqual } from 'node:util';
import { EnvOverride } from '../../dto/env/env-override.js';
import { isJsonObject } from '../../dto/json-object.js';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';

/** etcd reads all layers in one request, and every write of a layer compares all of them. */
const MAX_LAYERS = 16;

/** A definition as JavaScript may give it. */
interface GivenLayers {
  readonly key?: string | undefined;
  readonly layers?: unknown;
  readonly override?: unknown;
  readonly codec?: unknown;
}

/**
 * Checks `layers` and `override`. `subject` names the definition, such as `key "/app/db"`.
 * @throws InvalidOptionsError
 */
export function checkLayers(subject: string, { key, layers, override, codec }: GivenLayers): void {
  const given = layers !== undefined ? 'layers' : override !== undefined ? 'override' : undefined;
  if (given === undefined) return;
  if (key === undefined) {
    throw new InvalidOptionsError(
      `the definition of ${subject} has "${given}", which requires a "key": define each key under the prefix with its own layers`,
    );
  }
  if (codec === 'text') {
    throw new InvalidOptionsError(
      `the definition of ${subject} has "${given}" and "codec: 'text'", whose documents cannot be merged; remove one of them`,
      { key },
    );
  }
  if (layers !== undefined) checkKeys(subject, key, layers);
  if (override !== undefined && typeof override !== 'function' && !isJsonObject(override)) {
    throw new InvalidOptionsError(
      `the "override" of ${subject} must be fromEnv('PREFIX_'), an object or a function that returns one`,
      { key },
    );
  }
}

/** Returns the keys that are merged; `undefined` for a definition without layers and override. */
export function layersOf({ key, layers, override }: GivenLayers): readonly string[] | undefined {
  if (layers !== undefined) return [...(layers as readonly string[])];
  return override === undefined || key === undefined ? undefined : [key];
}

/** True if the overrides of two definitions of one key are equal. */
export const isSameOverride = (a: unknown, b: unknown): boolean =>
  a instanceof EnvOverride ? a.equals(b) : isDeepStrictEqual(a, b);

function checkKeys(subject: string, key: string, layers: unknown): void {
  const keys: readonly unknown[] = Array.isArray(layers) ? layers : [];
  if (keys.length === 0 || !keys.every((each) => typeof each === 'string' && each !== '')) {
    throw new InvalidOptionsError(`the "layers" of ${subject} must be a list of keys that is not empty`, { key });
  }
  if (keys.length > MAX_LAYERS) {
    throw new InvalidOptionsError(`the "layers" of ${subject} are ${keys.length} keys; the limit is ${MAX_LAYERS}`, {
      key,
    });
  }
  const twice = keys.find((each, index) => keys.indexOf(each) !== index);
  if (twice === undefined) return;
  throw new InvalidOptionsError(`the "layers" of ${subject} have ${quoted(twice as string)} twice`, { key });
}
