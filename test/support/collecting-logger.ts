import type { LoggerService } from '@nestjs/common';

export interface LogLine {
  readonly level: 'log' | 'warn' | 'error' | 'debug' | 'verbose' | 'fatal';
  readonly text: string;
}

/** Logger that collects the lines of all levels. */
export class CollectingLogger implements LoggerService {
  readonly lines: LogLine[] = [];
  readonly log = this.#collect('log');
  readonly warn = this.#collect('warn');
  readonly error = this.#collect('error');
  readonly debug = this.#collect('debug');
  readonly verbose = this.#collect('verbose');
  readonly fatal = this.#collect('fatal');

  get text(): string {
    return this.lines.map(({ level, text }) => `${level} ${text}`).join('\n');
  }

  #collect(level: LogLine['level']) {
    return (...parts: unknown[]): void => {
      this.lines.push({ level, text: parts.map(String).join(' ') });
    };
  }
}
