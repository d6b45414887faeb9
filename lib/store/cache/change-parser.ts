import type { ParseResult } from '../../dto/dto-parser.js';
import type { ValueParser } from '../../dto/value-parser.js';
import { UnknownReports } from '../../dto/unknown-reports.js';
import type { ChangeBatch } from '../../watch/stream/change-event.js';
import { escapedKey, hasExactText, type KeyRecord, keyText, packedValueOf } from '../../backend/key-record.js';
import { now, type ParsedChange, parsedPut, type Write } from './cache-entry.js';

/** A change of a key in etcd; without bytes it is a deletion. */
interface RawChange extends Pick<Write, 'revision'> {
  readonly rawKey: string;
  readonly bytes: Write['bytes'] | undefined;
}

export interface ChangeParserOptions {
  readonly parser: ValueParser<object>;
  /** True if the key belongs to the definition. */
  readonly governs: (key: string) => boolean;
  /** Called for a value with unknown properties, once for each set of names. */
  readonly stripped: (key: string, names: string) => void;
  /** Called once, for the first key that is not UTF-8. Such keys are skipped. */
  readonly unnamed: (escapedKey: string) => void;
  /** Called for a value that is rejected because a reference could not be resolved. */
  readonly unresolved: (write: Write) => void;
  /** Called if the parser has thrown unexpectedly; the value then counts as invalid. */
  readonly failed: (key: string, error: unknown) => void;
}

/** Parses the changes of one definition: revision by revision, and an initial list page by page as it arrives. */
export class ChangeParser {
  readonly #options: ChangeParserOptions;
  #preparsed: PreparsedList | undefined;
  readonly #unknownReports = new UnknownReports();
  #unnamedKey: string | undefined;

  constructor(options: ChangeParserOptions) {
    this.#options = options;
  }

  /** The first key that is not UTF-8, escaped; `undefined` if there is none. */
  get unnamedKey(): string | undefined {
    return this.#unnamedKey;
  }

  /** Parses a page of a list that is still being read. */
  onPage(records: readonly KeyRecord[]): void {
    const preparsed = (this.#preparsed ??= new PreparsedList());
    const at = now();
    for (const record of records) {
      const { rawKey, revision } = record;
      preparsed.add(record, this.#parse({ rawKey, revision, bytes: packedValueOf(record) }, at));
    }
  }

  /** Discards the pages of a failed list. */
  discardPages(): void {
    this.#preparsed = undefined;
  }

  /** Parses the changes of one revision or list, without the keys of other definitions. */
  parse(batch: ChangeBatch): readonly Change[] {
    const preparsed = this.#preparsed;
    this.#preparsed = undefined;
    if (batch.records && preparsed?.isOf(batch.records)) return preparsed.changes;
    const at = now();
    const changes: Change[] = [];
    for (const { rawKey, revision, packedValue: bytes } of batch.events) {
      const change = this.#parse({ rawKey, revision, bytes }, at);
      if (change) changes.push(change);
    }
    return changes;
  }

  #parse({ rawKey, revision, bytes }: RawChange, at: number): Change | undefined {
    const key = keyText(rawKey);
    if (!this.#options.governs(key)) return undefined;
    if (!hasExactText(rawKey)) {
      if (this.#unnamedKey === undefined) {
        this.#unnamedKey = escapedKey(rawKey);
        this.#options.unnamed(this.#unnamedKey);
      }
      return undefined;
    }
    return bytes === undefined ? { state: 'deleted', key, revision } : this.#put({ key, revision, bytes }, at);
  }

  #put(write: Write, at: number): Change {
    try {
      const result = this.#options.parser.parse(write.bytes);
      if (!(result instanceof Promise)) return this.#change(write, result, at);
      return result
        .then((settled) => this.#change(write, settled, now()))
        .catch((error: unknown) => this.#failed(write, error));
    } catch (error) {
      return this.#failed(write, error);
    }
  }

  /** One value that cannot be parsed must not stop the others. */
  #failed({ key, revision }: Write, error: unknown): ParsedChange<object> {
    this.#options.failed(key, error);
    return { state: 'rejected', key, revision, violations: [{ path: '', constraints: ['parser'] }] };
  }

  #change(write: Write, result: ParseResult<object>, at: number): ParsedChange<object> {
    if (!result.ok && result.isUnresolved) this.#options.unresolved(write);
    const names = result.ok ? this.#unknownReports.namesToReport(result.stripped) : undefined;
    if (names !== undefined) this.#options.stripped(write.key, names);
    return parsedPut(write, result, this.#options.parser.type, at);
  }
}

/** A promise if a validator is asynchronous. */
export type Change = ParsedChange<object> | Promise<ParsedChange<object>>;

/** Pages of a list that were parsed while the rest of the list was being read. */
export class PreparsedList {
  readonly changes: Change[] = [];
  readonly #records: KeyRecord[] = [];

  /** `change` is `undefined` for a key of another definition. */
  add(record: KeyRecord, change: Change | undefined): void {
    this.#records.push(record);
    if (change) this.changes.push(change);
  }

  /** True if the list consists of exactly these records. */
  isOf(records: readonly KeyRecord[]): boolean {
    return records.length === this.#records.length && records.every((record, index) => record === this.#records[index]);
  }
}
