import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../json-object.js';
import type { ViolationList } from '../violation-list.js';
import { partAt, pathOfPlace, replaceText, textPlaces } from './reference-places.js';
import type { ReferenceResolver } from './reference-resolver.js';

/** The document that a write replaces, with its references, and the document of the value that readers see of it. */
export interface ReplacedDocument {
  readonly document: JsonObject;
  readonly seen: JsonObject | undefined;
}

/**
 * Puts the references in place of their secrets, in the document itself: at the places of the replaced document whose
 * value has not changed, and wherever a text equals a secret. A text that contains a secret is the violation
 * `resolvedSecret`.
 */
export function restoreReferences(
  document: JsonObject,
  replaced: ReplacedDocument | undefined,
  resolver: ReferenceResolver,
  violations: ViolationList,
): void {
  if (replaced) restoreUnchanged(document, replaced, resolver);
  for (const place of textPlaces(document, () => true)) {
    // A text that was there before is not a secret, although it is equal to one.
    if (partAt(replaced?.document, place.segments) === place.text) continue;
    const reference = resolver.referenceOf(place.text);
    if (reference !== undefined) replaceText(place, reference);
    else if (resolver.containsSecret(place.text)) violations.add(pathOfPlace(place), 'resolvedSecret');
  }
}

/** A transformation of the class may have changed the secret, so that only its place tells what it is. */
function restoreUnchanged(
  document: JsonObject,
  { document: before, seen }: ReplacedDocument,
  resolver: ReferenceResolver,
): void {
  for (const { segments, text: reference } of resolver.placesIn(before)) {
    const next = partAt(document, segments);
    const owner = partAt(document, segments.slice(0, -1));
    const name = segments.at(-1);
    if (next === undefined || name === undefined || !isDeepStrictEqual(next, partAt(seen, segments))) continue;
    (owner as Record<string | number, unknown>)[name] = reference;
  }
}
