import { Etcd3, type IOptions } from 'etcd3';

export { Etcd3, type IOptions };

/** The client that applications inject, and how the module's own connection is made. */
export interface ClientChoice {
  readonly client: Etcd3;
  /** The module built it, so the module closes it. */
  readonly isOwn: boolean;
  readonly options: IOptions;
}

/** An `Etcd3` that was supplied stays its owner's; of it only the options are used. */
export function chooseClient(given: Etcd3 | IOptions): ClientChoice {
  if (given instanceof Etcd3) return { client: given, isOwn: false, options: given['options'] };
  return { client: new Etcd3(given), isOwn: true, options: given };
}
