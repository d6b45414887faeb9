import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';
import { describeTarget } from '../definitions/resolved-definition.js';
import type { DefinitionFeed } from '../cache/definition-feed.js';
import type { LayeredFeed } from '../layers/layered-feed.js';

/** Option of a write. */
interface LayerChoice {
  readonly layer?: string | undefined;
}

/**
 * Returns the layer that a write of a definition with layers changes: the chosen one, or the one at the key itself.
 * @throws InvalidOptionsError if none is chosen and the key is not a layer, or it is not a layer of the definition
 */
export function layerOf(
  what: string,
  { definition: { name }, layerKeys }: LayeredFeed,
  { layer }: LayerChoice,
): string {
  const chosen = layer ?? name;
  if (layerKeys.includes(chosen)) return chosen;
  const known = `the layers are ${layerKeys.map(quoted).join(', ')}`;
  throw new InvalidOptionsError(
    layer === undefined
      ? `${what}: choose the layer to write by the option "layer"; ${known}`
      : `${what}: ${quoted(layer)} is not one of its layers; ${known}`,
    { key: name },
  );
}

/** @throws InvalidOptionsError if a layer is given for a definition without layers */
export function checkNoLayer(what: string, { definition }: DefinitionFeed, { layer }: LayerChoice): void {
  if (layer === undefined) return;
  throw new InvalidOptionsError(
    `${what}: the option "layer" requires a definition with "layers", and ${describeTarget(definition.target)} has none`,
    { key: definition.name },
  );
}
