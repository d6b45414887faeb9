import { isIP } from 'node:net';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { quoted } from '../../foreign/foreign-text.js';

/** One host of `client.hosts`: a name or IP address with a port, or the path of a unix socket. */
export type Endpoint =
  { readonly name: string; readonly port: number; readonly isSecure: boolean } | { readonly path: string };

const DEFAULT_PORT = 2379;
const UNIX = /^unix:(?:\/\/)?(.+)$/i;
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i;
const NAME_AND_PORT = /^(\[[0-9a-f:.%a-z]+\]|[^:[\]]+)(?::(\d+))?$/i;

/**
 * Accepts `host`, `host:2379`, `http://host:2379/`, `https://...`, IPv6 addresses and `unix:/path`, as a list or as one
 * string with commas.
 * @throws InvalidOptionsError naming the host; a host with user information is not quoted, since it may hold a password
 */
export function parseHosts(hosts: unknown): readonly Endpoint[] {
  const texts = textsOf(hosts);
  if (texts.length === 0) throw invalid('must be "host:port" or a non-empty array of such strings');
  // Before anything is quoted: a password with a comma was split.
  if (texts.some(hasUser)) throw invalid('must not contain a user name or password: use client.auth');
  const endpoints = texts.map(parseHost);
  const schemes = new Set(endpoints.flatMap((each) => ('path' in each ? [] : [each.isSecure])));
  if (schemes.size > 1) throw invalid('mixes https:// with hosts without TLS: use one of them for all hosts');
  return endpoints;
}

/** The form that etcd3 and gRPC understand. */
export const formatHost = (endpoint: Endpoint): string =>
  'path' in endpoint ? `unix:${endpoint.path}` : `${endpoint.isSecure ? 'https' : 'http'}://${authorityOf(endpoint)}`;

/** `name:port`, with brackets around an IPv6 address. */
export const authorityOf = ({ name, port }: { readonly name: string; readonly port: number }): string =>
  `${isIP(name) === 6 ? `[${name}]` : name}:${port}`;

function textsOf(hosts: unknown): string[] {
  const list: unknown[] = Array.isArray(hosts) ? hosts : [hosts];
  return list
    .flatMap((host) => {
      if (typeof host !== 'string') throw invalid('must be "host:port" or a non-empty array of such strings');
      return host.split(',');
    })
    .map((host) => host.trim())
    .filter((host) => host !== '');
}

function parseHost(text: string): Endpoint {
  const path = UNIX.exec(text)?.[1];
  if (path !== undefined) return { path };
  const [, scheme = 'http', rest = text] = SCHEME.exec(text) ?? [];
  if (!/^https?$/i.test(scheme)) {
    throw invalid(`has the scheme ${quoted(`${scheme}:`)}, which is not supported: use http, https or unix`);
  }
  const authority = rest.replace(/\/+$/, '');
  if (isIP(authority) === 6) return { name: authority, port: DEFAULT_PORT, isSecure: isHttps(scheme) };
  const [, name, port = String(DEFAULT_PORT)] = NAME_AND_PORT.exec(authority) ?? [];
  if (name === undefined || /[\s/?#]/.test(name) || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(`has ${quoted(text)}, which is not "host:port"`);
  }
  return { name: name.replace(/^\[|\]$/g, ''), port: Number(port), isSecure: isHttps(scheme) };
}

const hasUser = (text: string): boolean => text.includes('@') && !UNIX.test(text);

const isHttps = (scheme: string): boolean => scheme.toLowerCase() === 'https';

const invalid = (what: string): InvalidOptionsError => new InvalidOptionsError(`client.hosts ${what}`);
