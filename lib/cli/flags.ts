import { InvalidArgumentError, Option } from 'commander';

/** The flags of all commands. */
export const connectionFlags = (): Option[] => [
  new Option('--app <file>', 'compiled file of the root module: its classes validate, its secrets are masked'),
  new Option('--cluster <name>', 'cluster of the application, if it has several'),
  new Option('--hosts <hosts>', 'members of etcd, such as http://localhost:2379 (ETCD_HOSTS)'),
  new Option('--user <name>', 'user of etcd (ETCD_USER); its password is ETCD_PASSWORD'),
  new Option('--cacert <file>', 'certificate of the authority that has signed those of etcd (ETCD_CACERT)'),
  new Option('--cert <file>', 'certificate of the client (ETCD_CERT)'),
  new Option('--key <file>', 'private key of the client (ETCD_KEY)'),
  new Option('--key-prefix <prefix>', 'prefix of all keys (ETCD_KEY_PREFIX)'),
  new Option('--audit <prefix>', 'the option "audit.prefix" of the application, where a factory returns it'),
  new Option('--json', 'print JSON').default(false, 'no'),
];

export const author = (): Option =>
  new Option('--author <name>', 'who writes, for the audit trail (default: the user of the operating system)');
export const reason = (): Option => new Option('--reason <text>', 'why, for the audit trail');
export const layer = (): Option =>
  new Option('--layer <key>', 'the layer to write, for a key that is merged from layers');
export const reveal = (): Option => new Option('--reveal', 'include secrets').default(false, 'no');

/** Parses the value of an argument or a flag. */
export function integer(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('it must be a positive integer.');
}
