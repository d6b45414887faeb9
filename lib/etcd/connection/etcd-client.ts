import { Etcd3, type IOptions } from 'etcd3';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';

export { Etcd3, type IOptions };

/** The client that applications inject, and how the module's own connection is made. */
export interface ClientChoice {
  readonly client: Etcd3;
  /** The module built it, so the module closes it. */
  readonly isOwn: boolean;
  readonly options: IOptions;
}

/**
 * An `Etcd3` that was supplied stays its owner's; of it only the options are used.
 * @throws InvalidOptionsError for what is neither an `Etcd3` nor options that name hosts
 */
export function chooseClient(given: unknown): ClientChoice {
  if (given instanceof Etcd3) return { client: given, isOwn: false, options: given['options'] };
  const options = checkOptions(given);
  return { client: new Etcd3(options), isOwn: true, options };
}

function checkOptions(client: unknown): IOptions {
  if (typeof client !== 'object' || client === null) {
    throw new InvalidOptionsError('"client" is missing: give { hosts: "host:2379" } or an Etcd3');
  }
  const { hosts, auth } = client as {
    readonly hosts?: unknown;
    readonly auth?: Partial<NonNullable<IOptions['auth']>>;
  };
  const list: unknown[] = Array.isArray(hosts) ? hosts : [hosts];
  if (list.length === 0 || list.some((host) => typeof host !== 'string' || host.trim() === '')) {
    throw new InvalidOptionsError('"client.hosts" names no host: give "host:2379", or a list of such');
  }
  const isSecure = list.map((host) => (host as string).startsWith('https://'));
  if (
    isSecure.includes(true) &&
    isSecure.includes(false) &&
    list.some((host) => (host as string).startsWith('http://'))
  ) {
    throw new InvalidOptionsError('"client.hosts" mixes http:// and https://: etcd3 uses one kind for all of them');
  }
  if (auth && (typeof auth.username !== 'string' || typeof auth.password !== 'string')) {
    throw new InvalidOptionsError('"client.auth" needs both username and password');
  }
  return client as IOptions;
}
