import { FixtureProcess } from './fixture-process.js';
import { type Direction, TcpProxy } from './tcp-proxy.js';

/** A process of an application, which reaches each member of etcd over a link of its own. */
export class PodProcess extends FixtureProcess {
  isEnded = false;
  readonly #links: readonly TcpProxy[];

  private constructor(
    program: string,
    readonly name: string,
    links: readonly TcpProxy[],
    args: readonly string[],
  ) {
    super(program, links.map(({ endpoint }) => endpoint).join(), name, ...args);
    this.#links = links;
  }

  static async start(
    program: string,
    { hosts, name, args = [] }: { hosts: readonly string[]; name: string; args?: readonly string[] },
  ): Promise<PodProcess> {
    const links = await Promise.all(hosts.map((host) => TcpProxy.start(Number(new URL(host).port))));
    return new PodProcess(program, name, links, args);
  }

  /** Holds back what it sends (`up`), what it would receive (`down`), or both. */
  partition(direction: Direction | 'both'): void {
    for (const link of this.#links) link.freeze(direction);
  }

  /** Delivers what was held back. */
  heal(): void {
    for (const link of this.#links) link.thaw();
  }

  override async end(name: NodeJS.Signals): Promise<unknown> {
    this.isEnded = true;
    const code = await super.end(name);
    for (const link of this.#links) link.stop();
    return code;
  }
}
