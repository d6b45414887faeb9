import { Etcd3, GRPCDeadlineExceededError, GRPCUnavailableError } from 'etcd3';
import { EtcdTestCluster, findEtcd } from 'nestjs-etcd-trigger/testing';
import { CONFIGURATIONS } from './configurations.js';
import { say } from './terminal.js';

const EXAMPLES: Readonly<Record<string, object>> = {
  [CONFIGURATIONS.database.key]: { host: 'db-1', port: 5_432, user: 'app', password: 'example' },
  [CONFIGURATIONS.redis.key]: { host: 'cache-1', port: 6_379 },
};

/** The cluster of `ETCD_HOSTS`, or an etcd that is fetched where needed, started, and ends with this process. It then holds what the application needs. */
export async function prepareEtcd(): Promise<{ hosts: string; own: EtcdTestCluster | undefined }> {
  const given = process.env.ETCD_HOSTS === '' ? undefined : process.env.ETCD_HOSTS;
  const own = given ? undefined : await startOwn();
  const hosts = given ?? own?.hosts.join() ?? '';
  await writeMissing(hosts);
  return { hosts, own };
}

async function startOwn(): Promise<EtcdTestCluster> {
  const { version, source } = await findEtcd({
    log: (line) => {
      say('etcd', line);
    },
  });
  const cluster = await EtcdTestCluster.start();
  say('etcd', `${version} (${source}) runs at ${cluster.hosts.join()}; it ends with this app`);
  return cluster;
}

/** What is there already stays as it is. */
async function writeMissing(hosts: string): Promise<void> {
  const client = new Etcd3({ hosts: hosts.split(',') });
  const deadline = { deadline: Date.now() + 10_000 };
  try {
    for (const [key, value] of Object.entries(EXAMPLES)) {
      const put = client.put(key).value(JSON.stringify(value));
      await client.if(key, 'Create', '==', 0).then(put).options(deadline).commit();
    }
  } catch (error) {
    throw new Error(
      isSilence(error)
        ? `no etcd answers at ${hosts}: start one there, or leave ETCD_HOSTS out, and the app brings its own`
        : `the etcd at ${hosts} does not take the example configuration: ${(error as Error).message}`,
    );
  } finally {
    client.close();
  }
}

const isSilence = (error: unknown): boolean =>
  error instanceof GRPCUnavailableError || error instanceof GRPCDeadlineExceededError;
