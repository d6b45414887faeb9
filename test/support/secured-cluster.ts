import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';

export interface SecuredCluster extends AsyncDisposable {
  readonly etcd: EtcdTestCluster;
  /** Client of the user root. */
  readonly admin: Etcd3;
}

export const ROOT = { username: 'root', password: 'root-password' };
export const APP = { username: 'app', password: 'app-password' };

/** Starts an etcd with authentication and a user `app` that may read and write only keys under `/allowed/`. */
export async function startSecured(args: readonly string[] = []): Promise<SecuredCluster> {
  const etcd = await EtcdTestCluster.start({ args: [...args] });
  const setup = new Etcd3({ hosts: etcd.hosts });
  await setup.role('root').create();
  const role = setup.role('app');
  await role.create();
  await role.grant({ permission: 'Readwrite', range: setup.range({ prefix: '/allowed/' }) });
  for (const { username, password } of [ROOT, APP]) {
    await setup.user(username).create(password);
    await setup.user(username).addRole(username);
  }
  await setup.auth.authEnable();
  setup.close();
  const admin = new Etcd3({ hosts: etcd.hosts, auth: ROOT });
  return {
    etcd,
    admin,
    [Symbol.asyncDispose]: async () => {
      admin.close();
      await etcd.stop();
    },
  };
}
