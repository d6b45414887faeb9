import type { DtoParser, ParseResult } from '../dto/dto-parser.js';
import type { ChangeBatch } from '../watch/change-event.js';
import { type KeyRecord, keyText, packedValueOf } from '../watch/key-record.js';
import { type Change, EarlyChanges } from './early-changes.js';
import { now, type ParsedChange, parsedPut, type Write } from './held-config.js';

/** What etcd says of a key; without bytes it is gone. */
interface Told extends Omit<Write, 'bytes'> {
  readonly bytes: Write['bytes'] | undefined;
}

export interface ChangeParserOptions {
  readonly parser: DtoParser<object>;
  /** Whether a key is the definition's. */
  readonly governs: (key: string) => boolean;
  /** A value has properties that its class does not know; each set of names is told once. */
  readonly stripped: (key: string, paths: readonly string[]) => void;
}

/** What etcd says of the keys of one definition, parsed: revision by revision, but a first list as it comes in. */
export class ChangeParser {
  readonly #options: ChangeParserOptions;
  #early: EarlyChanges | undefined;
  readonly #strippedNames = new Set<string>();

  constructor(options: ChangeParserOptions) {
    this.#options = options;
  }

  /** Records of a list that is on its way. */
  arriving(records: readonly KeyRecord[]): void {
    const early = (this.#early ??= new EarlyChanges());
    const at = now();
    for (const record of records) {
      const { id, revision } = record;
      early.add(record, this.#governed({ key: keyText(id), revision, bytes: packedValueOf(record) }, at));
    }
  }

  /** What came of a list is void. */
  forget(): void {
    this.#early = undefined;
  }

  /** The changes of one revision or list, without those of other definitions' keys. */
  parse(batch: ChangeBatch): readonly Change[] {
    const early = this.#early;
    this.#early = undefined;
    if (batch.records && early?.isOf(batch.records)) return early.changes;
    const at = now();
    const changes: Change[] = [];
    for (const { key, revision, packedValue: bytes } of batch.events) {
      const change = this.#governed({ key, revision, bytes }, at);
      if (change) changes.push(change);
    }
    return changes;
  }

  #governed({ key, revision, bytes }: Told, at: number): Change | undefined {
    if (!this.#options.governs(key)) return undefined;
    return bytes === undefined ? { state: 'deleted', key, revision } : this.#put({ key, revision, bytes }, at);
  }

  #put(write: Write, at: number): Change {
    const result = this.#options.parser.parse(write.bytes);
    return result instanceof Promise
      ? result.then((late) => this.#change(write, late, now()))
      : this.#change(write, result, at);
  }

  #change(write: Write, result: ParseResult<object>, at: number): ParsedChange<object> {
    if (result.ok && result.stripped.length > 0) this.#tellStripped(write.key, result.stripped);
    return parsedPut(write, result, this.#options.parser.type, at);
  }

  #tellStripped(key: string, paths: readonly string[]): void {
    const names = paths.join();
    if (this.#strippedNames.has(names)) return;
    this.#strippedNames.add(names);
    this.#options.stripped(key, paths);
  }
}
