import type { Etcd3, Permission } from 'etcd3';

const PERMISSIONS: Readonly<Record<string, keyof typeof Permission>> = {
  read: 'Read',
  write: 'Write',
  readwrite: 'Readwrite',
};

/** Returns the etcdctl commands of a guide, without those that begin with a flag. */
export const etcdctlCommandsIn = (guide: string): string[] =>
  Array.from(guide.matchAll(/^etcdctl ([a-z][^#\n]*)/gm), ([, command = '']) => command.trim());

/** Runs an etcdctl command. The password of a user is `of NAME`. */
export async function runEtcdctl(client: Etcd3, command: string): Promise<void> {
  const [subject, verb, name = '', ...rest] = command.split(' ');
  const [first = '', key = '', flag] = rest;
  switch (`${subject ?? ''} ${verb ?? ''}`) {
    case 'role add':
      await client.role(name).create();
      return;
    case 'role grant-permission': {
      const permission = PERMISSIONS[first] ?? 'Read';
      const range = { permission, range: client.range({ prefix: key }) };
      await client.role(name).grant(flag === '--prefix' ? range : { permission, key });
      return;
    }
    case 'user add':
      await client.user(name).create(`of ${name}`);
      return;
    case 'user grant-role':
      await client.user(name).addRole(first);
      return;
    case 'auth enable':
      await client.auth.authEnable();
      return;
    default:
      throw new Error(`unknown command in the guide: ${command}`);
  }
}
