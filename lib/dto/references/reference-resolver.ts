import { adopted } from '../../foreign/thenable.js';
import { Semaphore } from '../../timing/semaphore.js';
import { within } from '../../timing/time-limit.js';
import type { JsonObject } from '../json-object.js';
import { ViolationList } from '../violation-list.js';
import type { ConfigViolation } from '../../etcd-trigger.errors.js';
import { DEFAULT_REFRESH_MS, type ReferenceOptions } from './reference-options.js';
import { pathOfPlace, replaceText, type TextPlace, textPlaces } from './reference-places.js';

/** Secrets by their references. */
export type Secrets = ReadonlyMap<string, string>;

export type Resolution =
  | { readonly ok: true; readonly secrets: Secrets }
  | { readonly ok: false; readonly isUnresolved: boolean; readonly violations: readonly ConfigViolation[] };

/** Resolves the references in the documents of one definition, and keeps their secrets in memory. */
export class ReferenceResolver {
  readonly refreshMs: number;
  readonly #pattern: RegExp;
  readonly #get: ReferenceOptions['get'];
  readonly #limitMs: number;
  readonly #known = new Map<string, string>();
  /** Secrets that a refresh has replaced, which values in use by the application may still contain. */
  readonly #former = new Map<string, string>();
  readonly #pending = new Map<string, Promise<string | undefined>>();
  readonly #places = new Semaphore(() => MAX_CALLS);
  readonly #closing = new AbortController();
  #lastError: Error | undefined;

  constructor({ pattern, get, refreshMs = DEFAULT_REFRESH_MS }: ReferenceOptions, limitMs: number) {
    // A flag for repeated matches would make each test depend on the one before it.
    this.#pattern = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    this.#get = get;
    this.refreshMs = refreshMs;
    this.#limitMs = limitMs;
  }

  /** The last reason why a secret could not be fetched. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Returns the references of a document. */
  placesIn(document: JsonObject): TextPlace[] {
    return textPlaces(document, (text) => this.#pattern.test(text));
  }

  /**
   * Replaces the references of the document itself by their secrets. Never rejects. Returns a promise only if a secret is
   * not in memory. The violation `resolve` names each reference that cannot be resolved.
   */
  resolve(document: JsonObject): Resolution | Promise<Resolution> {
    const places = this.placesIn(document);
    const references = new Set(places.map(({ text }) => text));
    if (references.size > MAX_REFERENCES) {
      return { ok: false, isUnresolved: false, violations: [{ path: '', constraints: ['references'] }] };
    }
    const missing = [...references].filter((reference) => !this.#known.has(reference));
    if (missing.length === 0) return this.#replace(places);
    return Promise.all(missing.map((reference) => this.#fetch(reference))).then(() => this.#replace(places));
  }

  /** True if all of these secrets are the current ones. */
  areCurrent(secrets: Secrets): boolean {
    return [...secrets].every(([reference, secret]) => this.#known.get(reference) === secret);
  }

  /**
   * Calls `get` for these references and forgets all others. A secret that cannot be fetched stays.
   * @returns false if one could not be fetched
   */
  async refresh(inUse: ReadonlySet<string>): Promise<boolean> {
    for (const reference of this.#known.keys()) {
      if (inUse.has(reference)) continue;
      this.#known.delete(reference);
      this.#former.delete(reference);
    }
    const secrets = await Promise.all([...inUse].map((reference) => this.#fetch(reference)));
    return !secrets.includes(undefined);
  }

  /** Returns the reference of a current or a former secret. */
  referenceOf(secret: string): string | undefined {
    if (secret === '') return undefined;
    for (const secrets of [this.#known, this.#former]) {
      for (const [reference, known] of secrets) if (known === secret) return reference;
    }
    return undefined;
  }

  /** True if the text contains a secret that is long enough not to be in it by chance. */
  containsSecret(text: string): boolean {
    return [this.#known, this.#former].some((secrets) =>
      [...secrets.values()].some((secret) => secret.length >= MIN_CONTAINED && text.includes(secret)),
    );
  }

  /** Aborts all calls. */
  close(): void {
    this.#closing.abort();
  }

  #replace(places: readonly TextPlace[]): Resolution {
    const secrets = new Map<string, string>();
    const violations = new ViolationList();
    for (const place of places) {
      const secret = this.#known.get(place.text);
      if (secret === undefined) {
        violations.add(pathOfPlace(place), 'resolve');
      } else {
        secrets.set(place.text, secret);
        replaceText(place, secret);
      }
    }
    return violations.isEmpty()
      ? { ok: true, secrets }
      : { ok: false, isUnresolved: true, violations: violations.toArray() };
  }

  /** Fetches a secret once for all who ask at the same time. Never rejects. */
  #fetch(reference: string): Promise<string | undefined> {
    const pending = this.#pending.get(reference) ?? this.#call(reference);
    this.#pending.set(reference, pending);
    void pending.then(() => this.#pending.delete(reference));
    return pending;
  }

  async #call(reference: string): Promise<string | undefined> {
    try {
      const secret = await this.#places.run(this.#closing.signal, () => this.#callWithinLimit(reference));
      if (typeof secret !== 'string') throw new TypeError('the secret is not a text');
      const former = this.#known.get(reference);
      if (former !== undefined && former !== secret) this.#former.set(reference, former);
      this.#known.set(reference, secret);
      return secret;
    } catch (error) {
      this.#lastError = error instanceof Error ? error : new TypeError('get failed without an error');
      return undefined;
    }
  }

  async #callWithinLimit(reference: string): Promise<unknown> {
    const limit = new AbortController();
    const signal = AbortSignal.any([limit.signal, this.#closing.signal]);
    try {
      const called = adopted(Promise.resolve().then(() => this.#get(reference, { signal })));
      const settled = await within(
        called.then((secret) => ({ secret })),
        this.#limitMs,
      );
      if (!settled) throw new Error(`get did not settle within ${this.#limitMs} ms`);
      return settled.secret;
    } finally {
      limit.abort();
    }
  }
}

/** Number of calls of `get` at a time. */
const MAX_CALLS = 32;

/** Number of different references in one document. */
const MAX_REFERENCES = 1_000;

/** Shorter secrets are in other texts by chance. */
const MIN_CONTAINED = 8;
