import type { DtoParser, ParseResult } from '../../dto/dto-parser.js';
import { UnknownReports } from '../../dto/unknown-reports.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import { type KeyRecord, keyText, packedValueOf } from '../../backend/key-record.js';
import { now, type ParsedChange, parsedPut, type Write } from './cache-entry.js';

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
  #preparsed: PreparsedList | undefined;
  readonly #unknownReports = new UnknownReports();

  constructor(options: ChangeParserOptions) {
    this.#options = options;
  }

  /** Records of a list that is on its way. */
  onPage(records: readonly KeyRecord[]): void {
    const preparsed = (this.#preparsed ??= new PreparsedList());
    const at = now();
    for (const record of records) {
      const { rawKey, revision } = record;
      preparsed.add(record, this.#governed({ key: keyText(rawKey), revision, bytes: packedValueOf(record) }, at));
    }
  }

  /** What came of a list is void. */
  forget(): void {
    this.#preparsed = undefined;
  }

  /** The changes of one revision or list, without those of other definitions' keys. */
  parse(batch: ChangeBatch): readonly Change[] {
    const preparsed = this.#preparsed;
    this.#preparsed = undefined;
    if (batch.records && preparsed?.isOf(batch.records)) return preparsed.changes;
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
    if (result.ok && this.#unknownReports.isNew(result.stripped)) this.#options.stripped(write.key, result.stripped);
    return parsedPut(write, result, this.#options.parser.type, at);
  }
}

/** A promise where a validator is asynchronous. */
export type Change = ParsedChange<object> | Promise<ParsedChange<object>>;

/** What was parsed of a list while the rest was on its way. */
export class PreparsedList {
  readonly changes: Change[] = [];
  readonly #records: KeyRecord[] = [];

  /** Without a change for what is not to be parsed. */
  add(record: KeyRecord, change: Change | undefined): void {
    this.#records.push(record);
    if (change) this.changes.push(change);
  }

  /** Whether the list has these very records. */
  isOf(records: readonly KeyRecord[]): boolean {
    return records.length === this.#records.length && records.every((record, index) => record === this.#records[index]);
  }
}
