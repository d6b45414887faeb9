import { isJsonObject, type JsonObject } from '../dto/json-object.js';
import { ConsoleError } from './console-error.js';
import type { ConsoleExchange } from './console-exchange.js';

/** Pages of other origins cannot send this header without the consent of the server. */
const HEADER = 'x-etcd-trigger-console';

/**
 * Refuses requests that a page of another origin has caused. Browsers send `Sec-Fetch-Site` to secure origins only, so
 * that a request without it is compared by `Origin`.
 * @throws ConsoleError
 */
export function checkSameOrigin(exchange: ConsoleExchange): void {
  const site = exchange.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw foreign();
  if (site === 'same-origin') return;
  const origin = exchange.header('origin');
  if (origin !== undefined && hostOf(origin) !== exchange.header('host')?.toLowerCase()) throw foreign();
}

/**
 * Returns the JSON body of a write.
 * @throws ConsoleError if the request may be forged, or has no body
 */
export function bodyOf(exchange: ConsoleExchange): JsonObject {
  if (exchange.header(HEADER) !== '1') throw new ConsoleError(403, `the header "${HEADER}: 1" is missing`);
  if (exchange.header('sec-fetch-site') === 'none') throw foreign();
  const [type = ''] = (exchange.header('content-type') ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json') {
    throw new ConsoleError(400, 'the content type must be application/json');
  }
  const { body } = exchange.request;
  if (isJsonObject(body)) return body;
  throw new ConsoleError(400, 'the body must be a JSON object, which the application must parse (bodyParser)');
}

/** @throws ConsoleError if the member is not a text */
export function textIn(body: JsonObject, name: string): string {
  const value = optionalTextIn(body, name);
  if (value === undefined) throw new ConsoleError(400, `"${name}" is missing`);
  return value;
}

/** @throws ConsoleError if the member is not a text */
export function optionalTextIn(body: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new ConsoleError(400, `"${name}" must be a string`);
}

/** @throws ConsoleError if the member is not a revision */
export function revisionIn(body: JsonObject, name: string, min: number): number {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  throw new ConsoleError(400, `"${name}" must be a revision: an integer of at least ${min}`);
}

const foreign = (): ConsoleError => new ConsoleError(403, 'the request comes from another origin');

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}
