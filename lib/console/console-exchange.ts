import type { ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ConsoleError } from './console-error.js';

/** The parts of a request that Express and Fastify have in common. */
export interface ConsoleRequest {
  readonly method: string;
  readonly url: string;
  /** Express: the URL before a router has changed it. */
  readonly originalUrl?: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly params?: Readonly<Record<string, string>>;
}

/** A reply of Fastify, or a response of Express, which is that of Node. */
export type ConsoleResponse = ServerResponse | FastifyReplyPart;

interface FastifyReplyPart {
  readonly raw: ServerResponse;
  hijack(): unknown;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
}

const HEADERS: readonly (readonly [string, string])[] = [
  [
    'content-security-policy',
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  ],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
];

/** One request and its answer, on Express and Fastify. */
export class ConsoleExchange {
  readonly #url: URL;

  constructor(
    private readonly adapter: AbstractHttpAdapter,
    readonly request: ConsoleRequest,
    readonly response: ConsoleResponse,
  ) {
    const { originalUrl = request.url } = request;
    // A relative reference such as //host/path would name another host.
    this.#url = new URL(`http://console${originalUrl}`);
  }

  /** Path of the request as it was sent. */
  get path(): string {
    return this.#url.pathname;
  }

  /** A parameter of the query; `undefined` if it is missing or empty. */
  query(name: string): string | undefined {
    const value = this.#url.searchParams.get(name);
    return value === null || value === '' ? undefined : value;
  }

  /** @throws ConsoleError if it is not an integer within the bounds */
  integer(name: string, fallback: number, min: number, max: number): number {
    const text = this.query(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new ConsoleError(400, `"${name}" must be an integer from ${min} to ${max}`);
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }

  /** Answers with JSON, which is never cached. */
  json(status: number, body: object): void {
    this.send(status, JSON.stringify(body), {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
  }

  send(status: number, content: string, headers: Readonly<Record<string, string>>): void {
    for (const [name, value] of [...HEADERS, ...Object.entries(headers)]) {
      this.adapter.setHeader(this.response, name, value);
    }
    this.adapter.reply(this.response, content, status);
  }

  redirect(location: string): void {
    this.adapter.redirect(this.response, 302, location);
  }

  /** Takes the answer over from the adapter and starts an event stream. */
  openStream(): ServerResponse {
    const { response } = this;
    const raw = 'raw' in response ? response.raw : response;
    if ('raw' in response) {
      response.hijack();
      // Fastify has the headers of plugins, such as those of CORS, until it replies.
      for (const [name, value] of Object.entries(response.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value);
    }
    for (const [name, value] of HEADERS) raw.setHeader(name, value);
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    raw.flushHeaders();
    return raw;
  }
}
