import buffer from 'node:buffer';
import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { vi } from 'vitest';
import type { Canaries } from './canaries.js';

/** Everything that left the library: log lines at every level, console output, errors and inspected objects. */
export class Evidence implements LoggerService {
  readonly #texts: { readonly from: string; readonly text: string }[] = [];
  readonly log = this.#line('log');
  readonly warn = this.#line('warn');
  readonly error = this.#line('error');
  readonly debug = this.#line('debug');
  readonly verbose = this.#line('verbose');
  readonly fatal = this.#line('fatal');

  /** Also collects the console and the standard streams, until the mocks of the test are restored. */
  constructor() {
    // Buffers are printed completely.
    buffer.INSPECT_MAX_BYTES = Infinity;
    for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
      vi.spyOn(console, method).mockImplementation(this.#line(`console.${method}`));
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
        this.#line(stream)(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
        return true;
      });
    }
  }

  /** All collected text, to check which situations a test has covered. */
  get text(): string {
    return this.#texts.map(({ from, text }) => `${from}: ${text}`).join('\n');
  }

  /**
   * Collects every representation of a value: as a string, inspected at full depth with hidden properties, as JSON, its
   * stack and its causes.
   */
  keep<T>(from: string, thing: T): T {
    this.#texts.push({ from: `${from}, inspected`, text: inspect(thing, WHOLE) });
    this.#texts.push({ from: `${from}, as JSON`, text: jsonOf(thing) });
    for (let error: unknown = thing; error instanceof Error; error = error.cause) {
      this.#texts.push({
        from: `${from}, ${error.name}`,
        text: `${String(error)} ${error.stack ?? ''} ${jsonOf(error)}`,
      });
    }
    return thing;
  }

  /** Returns the error of an attempt, which must fail. */
  async refusal(from: string, attempt: () => unknown): Promise<unknown> {
    try {
      await attempt();
    } catch (error) {
      return this.keep(from, error);
    }
    throw new Error(`${from} was to fail`);
  }

  /** Returns the canaries that were found and their locations. */
  leaks(canaries: Canaries): string[] {
    return this.#texts.flatMap(({ from, text }) =>
      canaries.foundIn(text).map((name) => `${name} in ${from}: ${text.slice(0, 600)}`),
    );
  }

  #line(from: string) {
    return (...parts: unknown[]): void => {
      this.#texts.push({
        from,
        text: parts.map((part) => (typeof part === 'string' ? part : inspect(part, WHOLE))).join(' '),
      });
    };
  }
}

const WHOLE = { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null, breakLength: Infinity };

function jsonOf(thing: unknown): string {
  const visited = new Set<unknown>();
  const replacer = (_: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (visited.has(value)) return '(visited)';
    visited.add(value);
    return value;
  };
  const json: unknown = JSON.stringify(thing, replacer);
  return typeof json === 'string' ? json : '';
}
