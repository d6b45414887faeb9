import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { within } from '../../timing/time-limit.js';
import { TransportError } from '../transport/transport-error.js';

/** Resolves to all addresses of a name, A and AAAA. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** Shortest time between the end of a look-up and the next one of the same name. */
const FRESH_MS = 2_000;
/** Node looks names up on four threads: a look-up that hangs must not take all of them. */
const HANGING_MS = 5_000;
const MAX_HANGING = 2;
/** Addresses of an earlier look-up are better than a wait. */
const REFRESH_LIMIT_MS = 500;

interface Name {
  addresses: readonly string[];
  /** Time when the last look-up ended. */
  lookedUpAt: number;
  pending: Promise<readonly string[]> | undefined;
  /** Look-ups that were given up and still occupy a thread. */
  hanging: number;
}

/** Looks up host names, one look-up of a name at a time, and remembers the addresses. */
export class HostResolver {
  readonly #names = new Map<string, Name>();

  constructor(private readonly lookUp: LookUp = lookUpAll) {}

  /**
   * Resolves to the addresses of a name, or to the known ones when a new look-up fails or takes long.
   * @throws TransportError when no address is known
   */
  async addressesOf(host: string): Promise<readonly string[]> {
    if (isIP(host)) return [host];
    const name = this.#nameOf(host);
    const isKnown = name.addresses.length > 0;
    if (isKnown && performance.now() - name.lookedUpAt < FRESH_MS) return name.addresses;
    if (!name.pending && name.hanging < MAX_HANGING) this.#begin(host, name);
    try {
      const limitMs = isKnown ? REFRESH_LIMIT_MS : HANGING_MS;
      const found = name.pending && (await within(name.pending, limitMs));
      if (found) return found;
    } catch (cause) {
      if (!isKnown) throw new TransportError('connect', `getaddrinfo ${host}`, cause);
    }
    if (isKnown) return name.addresses;
    throw new TransportError('connect', `the look-up of ${host} takes longer than ${HANGING_MS} ms`);
  }

  #nameOf(host: string): Name {
    let name = this.#names.get(host);
    if (!name) {
      name = { addresses: [], lookedUpAt: -Infinity, pending: undefined, hanging: 0 };
      this.#names.set(host, name);
    }
    return name;
  }

  #begin(host: string, name: Name): void {
    const pending = this.lookUp(host).then((addresses) => {
      if (addresses.length === 0) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
      return (name.addresses = addresses);
    });
    name.pending = pending;
    const givenUp = setTimeout(() => {
      name.pending = undefined;
      name.hanging += 1;
    }, HANGING_MS).unref();
    const end = (): void => {
      clearTimeout(givenUp);
      name.lookedUpAt = performance.now();
      if (name.pending === pending) name.pending = undefined;
      else name.hanging -= 1;
    };
    pending.then(end, end);
  }
}

async function lookUpAll(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, order: 'verbatim' });
  return [...new Set(found.map(({ address }) => address))];
}
