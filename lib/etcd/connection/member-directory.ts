import { within } from '../../timing/time-limit.js';
import { authorityOf, type Endpoint } from './hosts.js';
import type { HostResolver } from './host-resolver.js';
import { Member } from './member.js';

/** Time that names which resolve slowly are waited for once another host has an address. */
const STRAGGLER_MS = 250;

/** Members in the order in which to try them, and why hosts have none. */
export interface KnownMembers {
  readonly members: readonly Member[];
  readonly failures: readonly unknown[];
}

/** The members behind the configured hosts: every address of every name is one. */
export class MemberDirectory {
  readonly #endpoints: readonly Endpoint[];
  readonly #resolver: HostResolver;
  /** By authority and address. */
  readonly #members = new Map<string, Member>();

  constructor(endpoints: readonly Endpoint[], resolver: HostResolver) {
    // Different applications begin with different members.
    this.#endpoints = shuffled(endpoints);
    this.#resolver = resolver;
  }

  /** Resolves names as far as necessary. Members that were avoided come last, the one avoided longest ago first. */
  async list(): Promise<KnownMembers> {
    const members: Member[] = [];
    const failures: unknown[] = [];
    const resolved = this.#endpoints.map(async (endpoint) => {
      try {
        members.push(...(await this.#membersOf(endpoint)));
      } catch (error) {
        failures.push(error);
      }
    });
    const all = Promise.all(resolved);
    await Promise.race(resolved);
    await (members.length > 0 ? within(all, STRAGGLER_MS) : all);
    // Stragglers are added to the arrays later. A round of attempts must not change while it runs.
    return { members: members.toSorted((a, b) => a.avoidedAt - b.avoidedAt), failures: [...failures] };
  }

  async #membersOf(endpoint: Endpoint): Promise<Member[]> {
    if ('path' in endpoint) return [this.#member({ path: endpoint.path }, 'localhost', 'localhost')];
    const { name, port } = endpoint;
    const addresses = shuffled(await this.#resolver.addressesOf(name));
    return addresses.map((host) => this.#member({ host, port }, authorityOf(endpoint), name));
  }

  #member(address: Member['address'], authority: string, hostName: string): Member {
    const key = `${authority} ${JSON.stringify(address)}`;
    let member = this.#members.get(key);
    if (!member) this.#members.set(key, (member = new Member(address, authority, hostName)));
    return member;
  }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const copy = [...items];
  for (let index = copy.length - 1; index > 0; index -= 1) {
    const other = Math.floor(Math.random() * (index + 1));
    [copy[index], copy[other]] = [copy[other] as Item, copy[index] as Item];
  }
  return copy;
}
