import type { DocumentLimits } from '../dto/document-limits.js';
import type { ParseResult } from '../dto/dto-parser.js';
import { type ValueParser, valueParserOf } from '../dto/value-parser.js';
import { valueName, type ValueType } from '../dto/value-type.js';
import { UnknownReports } from '../dto/unknown-reports.js';
import { InvalidConfigError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { FinalFailure } from '../watch/delivery/listener-failure.js';
import type { WatchEvent } from '../watch/watch-event.js';
import type { HandlerCounters } from './handler.plan.js';
import { quoted } from '../foreign/foreign-text.js';

export interface PayloadParserOptions {
  /** `Class.method`, for messages. */
  readonly name: string;
  readonly type: ValueType;
  readonly onInvalid: 'skip' | 'error';
  readonly unknown: 'strip' | 'refuse';
  readonly log: InstanceLog;
  readonly counters: HandlerCounters;
  readonly limits: DocumentLimits;
}

/** Stands for an invalid value: the handler is not called. */
export const SKIPPED = Symbol('skipped');

export type ParsedPayload = object | undefined | typeof SKIPPED;

/** Parses the values of one handler from bytes into validated, frozen instances of its class. */
export class PayloadParser {
  readonly #options: PayloadParserOptions;
  readonly #parser: ValueParser<object>;
  readonly #unknownReports = new UnknownReports();

  constructor(options: PayloadParserOptions) {
    this.#options = options;
    this.#parser = valueParserOf(options.type, options);
  }

  /**
   * Returns `undefined` on delete. Returns a promise only if the class has asynchronous validators.
   * @throws FinalFailure for an invalid value with `onInvalid: 'error'`
   */
  parse(event: WatchEvent): ParsedPayload | Promise<ParsedPayload> {
    const { value } = event;
    if (value === undefined) return undefined;
    const result = this.#parser.parse(value);
    return result instanceof Promise ? result.then((late) => this.#accept(event, late)) : this.#accept(event, result);
  }

  /** Returns `undefined` if the key had no value before, or an invalid one. */
  async parsePrevious({ previous }: WatchEvent): Promise<object | undefined> {
    if (previous === undefined) return undefined;
    const result = await this.#parser.parse(previous);
    return result.ok ? result.value : undefined;
  }

  /** @throws FinalFailure for an invalid value with `onInvalid: 'error'` */
  #accept(event: WatchEvent, result: ParseResult<object>): ParsedPayload {
    if (result.ok) {
      const names = this.#unknownReports.namesToReport(result.stripped);
      if (names !== undefined) this.#warnOfUnknown(event.key, names);
      return result.value;
    }
    const { name, type, onInvalid, log, counters } = this.#options;
    counters.invalid += 1;
    const { key, revision } = event;
    const error = new InvalidConfigError(`key ${quoted(key)}`, result.violations, { key, revision });
    const reason = `${valueName(type)} at ${error.message}`;
    if (onInvalid === 'error') throw new FinalFailure(error, reason);
    log.warn(`${name} was not called at revision ${revision}: ${reason}`);
    return SKIPPED;
  }

  #warnOfUnknown(key: string, names: string): void {
    const { name, type, log } = this.#options;
    log.warn(
      `${name}: ignored properties that ${valueName(type)} does not know: ${names} (first seen at key ${quoted(key)})`,
    );
  }
}
