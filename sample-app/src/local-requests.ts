import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';

/**
 * The app has no login, so it accepts only requests that a page of another site cannot send through a visitor's
 * browser. Returns a middleware that rejects unknown names in `Host` (the name of another site may resolve to this
 * machine), writes with the `Origin` of another site, and bodies that are not JSON (an HTML form cannot send JSON).
 */
export function localRequests(
  allowedHosts: readonly string[],
): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  return ({ method = '', headers }, response, next) => {
    const refuse = (status: number, message: string): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
    };
    const { host = '', origin } = headers;
    const isWrite = !READS.has(method);
    if (!isAllowed(host, allowedHosts)) {
      refuse(403, 'unknown host: open the app by its address, or add the name to ALLOWED_HOSTS');
    } else if (isWrite && origin !== undefined && !ORIGIN_SCHEMES.some((scheme) => origin === scheme + host)) {
      refuse(403, 'requests of other sites are not accepted');
    } else if (isWrite && !isJson(headers)) {
      refuse(415, 'send JSON with the header content-type: application/json');
    } else {
      next();
    }
  };
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const ORIGIN_SCHEMES = ['http://', 'https://'];

/** An address is not a name, so no DNS server of another site can choose where it leads. */
function isAllowed(host: string, allowed: readonly string[]): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0 || allowed.includes(name);
}

function isJson(headers: IncomingMessage['headers']): boolean {
  const type = headers['content-type'];
  if (type !== undefined) return /^application\/json\s*(?:;|$)/i.test(type);
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}
