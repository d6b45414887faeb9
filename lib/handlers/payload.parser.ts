import type { Type } from '@nestjs/common';
import { className } from '../dto/dto-type.js';
import { DtoParser, type ParseResult } from '../dto/dto-parser.js';
import { UnknownReports } from '../dto/unknown-reports.js';
import { InvalidConfigError } from '../etcd-trigger.errors.js';
import type { InstanceLog } from '../etcd-trigger.log.js';
import { FinalFailure } from '../watch/delivery/listener-failure.js';
import type { WatchEvent } from '../watch/watch-event.js';
import type { HandlerCounters } from './handler.plan.js';

export interface PayloadParserOptions {
  /** `Class.method`, for messages. */
  readonly name: string;
  readonly type: Type<object>;
  readonly onInvalid: 'skip' | 'error';
  readonly unknown: 'strip' | 'refuse';
  readonly log: InstanceLog;
  readonly counters: HandlerCounters;
}

/** What a handler is not called with. */
export const SKIPPED = Symbol('skipped');

export type Payload = object | undefined | typeof SKIPPED;

/** The values of one handler: bytes to validated, frozen instances of its class. */
export class PayloadParser {
  readonly #options: PayloadParserOptions;
  readonly #parser: DtoParser<object>;
  readonly #unknownReports = new UnknownReports();

  constructor(options: PayloadParserOptions) {
    this.#options = options;
    this.#parser = new DtoParser(options.type, { unknown: options.unknown });
  }

  /**
   * The value of an event, `undefined` on delete. Synchronous unless a validator of the class is not.
   * @throws FinalFailure for one that is not valid, with `onInvalid: 'error'`
   */
  parse(event: WatchEvent): Payload | Promise<Payload> {
    const { value } = event;
    if (value === undefined) return undefined;
    const result = this.#parser.parse(value);
    return result instanceof Promise ? result.then((late) => this.#judge(event, late)) : this.#judge(event, result);
  }

  /** What the key held before, `undefined` where that is nothing or not valid. */
  async parsePrevious({ previous }: WatchEvent): Promise<object | undefined> {
    if (previous === undefined) return undefined;
    const result = await this.#parser.parse(previous);
    return result.ok ? result.value : undefined;
  }

  #judge(event: WatchEvent, result: ParseResult<object>): Payload {
    if (result.ok) {
      if (this.#unknownReports.isNew(result.stripped)) this.#warnOfUnknown(event.key, result.stripped);
      return result.value;
    }
    const { name, type, onInvalid, log, counters } = this.#options;
    counters.invalid += 1;
    const { key, revision } = event;
    const error = new InvalidConfigError(`key "${key}"`, result.violations, { key, revision });
    const said = `as ${className(type)}, ${error.message}`;
    if (onInvalid === 'error') throw new FinalFailure(error, said);
    log.warn(`${name} was not called at revision ${revision}: ${said}`);
    return SKIPPED;
  }

  #warnOfUnknown(key: string, paths: readonly string[]): void {
    const names = paths.join(', ');
    const { name, type, log } = this.#options;
    log.warn(
      `${name}: properties that ${className(type)} does not know are left out: ${names} (first of key "${key}")`,
    );
  }
}
