import { quoted } from '../foreign/foreign-text.js';
import type { Type } from '@nestjs/common';
import { type Observable, ReplaySubject } from 'rxjs';
import { KeyRange } from '../backend/key-range.js';
import { keyBytesOf, keyText } from '../backend/key-record.js';
import { DtoParser, type ParseResult } from '../dto/dto-parser.js';
import { InvalidConfigError } from '../etcd-trigger.errors.js';
import type { CoordinationContext } from './claim-keeper.js';
import { FollowedRange, type FollowedRecord } from './followed-range.js';
import type { ServiceList } from './service-list.js';

export interface FollowedServiceOptions<T extends object> {
  readonly service: string;
  readonly type: Type<T>;
  /** The prefix of the keys of the service. */
  readonly prefix: string;
  readonly onClose: () => void;
}

/** Follows the keys of a service. Each value is parsed once; an invalid one is logged and left out. */
export class FollowedService<T extends object> implements ServiceList<T> {
  readonly changes$: Observable<readonly T[]>;
  readonly #context: CoordinationContext;
  readonly #options: FollowedServiceOptions<T>;
  readonly #parser: DtoParser<T>;
  readonly #range: FollowedRange;
  readonly #values = new ReplaySubject<readonly T[]>(1);
  /** `undefined` for an invalid value. */
  readonly #parsed = new WeakMap<FollowedRecord, T | undefined>();
  readonly #parsing = new WeakSet<FollowedRecord>();
  #value: readonly T[] = Object.freeze([]);
  #isRead = false;
  #isClosed = false;

  constructor(context: CoordinationContext, options: FollowedServiceOptions<T>) {
    this.#context = context;
    this.#options = options;
    this.#parser = new DtoParser(options.type);
    this.changes$ = this.#values.asObservable();
    this.#range = new FollowedRange(context.ranges, KeyRange.of({ prefix: keyBytesOf(options.prefix) }));
    this.#range.onChange(() => {
      this.#changed();
    });
    this.#changed();
  }

  get service(): string {
    return this.#options.service;
  }

  get value(): readonly T[] {
    return this.#value;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#range.close();
    this.#values.complete();
    this.#options.onClose();
  }

  /** Waits until the list is read and every value of it is parsed. */
  #changed(): void {
    if (this.#isClosed || !this.#range.isListed) return;
    const records = [...this.#range.records.values()].sort((a, b) => (a.rawKey < b.rawKey ? -1 : 1));
    for (const record of records) this.#parse(record);
    if (!records.every((record) => this.#parsed.has(record))) return;
    const value = records.flatMap((record) => this.#parsed.get(record) ?? []);
    if (this.#isRead && isSameList(value, this.#value)) return;
    this.#isRead = true;
    this.#value = Object.freeze(value);
    this.#values.next(value);
  }

  #parse(record: FollowedRecord): void {
    if (this.#parsed.has(record) || this.#parsing.has(record)) return;
    const result = this.#parser.parse(record.value);
    if (!(result instanceof Promise)) {
      this.#keep(record, result);
      return;
    }
    this.#parsing.add(record);
    void result.then((settled) => {
      this.#keep(record, settled);
      this.#changed();
    });
  }

  #keep(record: FollowedRecord, result: ParseResult<T>): void {
    this.#parsed.set(record, result.ok ? result.value : undefined);
    if (result.ok) return;
    const id = keyText(record.rawKey.slice(this.#options.prefix.length));
    const { message } = new InvalidConfigError(
      `the instance ${quoted(id)} of the service "${this.#options.service}"`,
      result.violations,
    );
    this.#context.log.warn(`${message}; it is left out`);
  }
}

const isSameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, index) => each === b[index]);
