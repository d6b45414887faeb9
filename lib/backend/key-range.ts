import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { rawKeyOf, keyText } from './key-record.js';
import { quoted } from '../foreign/foreign-text.js';

/** A checked target: one key, or all keys with a prefix, compared by bytes. */
export class KeyRange {
  /** The same for equal targets. A key and a prefix of the same bytes differ. */
  readonly identity: string;

  private constructor(
    readonly kind: 'key' | 'prefix',
    /** The key or the prefix, with one char per byte. */
    readonly rawKey: string,
  ) {
    this.identity = `${kind}:${rawKey}`;
  }

  /** @throws InvalidOptionsError if the target is invalid or empty; only `{ prefix: '' }` is the empty prefix */
  static of(target: WatchTarget): KeyRange {
    if (typeof target === 'string') {
      if (target === '') {
        throw new InvalidOptionsError(`the target '' would watch every key: use { prefix: '' } if that is intended`);
      }
      return new KeyRange('prefix', rawKeyOf(target));
    }
    const { key, prefix } = asRecord(target);
    if ((key === undefined) === (prefix === undefined)) {
      throw new InvalidOptionsError(
        'a target must be a string, { prefix } or { key }, with exactly one of prefix and key',
      );
    }
    if (prefix !== undefined) return new KeyRange('prefix', rawKeyOf(asKey(prefix, 'prefix')));
    const rawKey = rawKeyOf(asKey(key, 'key'));
    if (rawKey === '') throw new InvalidOptionsError('the key of a target must not be empty: etcd has no empty key');
    return new KeyRange('key', rawKey);
  }

  includes(rawKey: string): boolean {
    return this.kind === 'key' ? rawKey === this.rawKey : rawKey.startsWith(this.rawKey);
  }

  /** The target as the application specifies it, with UTF-8 strings. */
  get target(): WatchTarget {
    return this.kind === 'key' ? { key: keyText(this.rawKey) } : { prefix: keyText(this.rawKey) };
  }

  /** For messages: `prefix "/app/"`. */
  toString(): string {
    return `${this.kind} ${quoted(keyText(this.rawKey))}`;
  }
}

function asRecord(target: unknown): { readonly key?: unknown; readonly prefix?: unknown } {
  if (typeof target === 'object' && target !== null) return target;
  throw new InvalidOptionsError(
    `a target must be a string, { prefix } or { key }, not ${target === null ? 'null' : typeof target}`,
  );
}

function asKey(value: unknown, name: string): string | Buffer {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  throw new InvalidOptionsError(
    `the ${name} of a target must be a string or a Buffer, not ${value === null ? 'null' : typeof value}`,
  );
}

/** One key, or all keys with a prefix. A plain string is a prefix; the empty prefix must be `{ prefix: '' }`. */
export type WatchTarget = string | { readonly prefix: string | Buffer } | { readonly key: string | Buffer };
