import { Etcd3, GRPCDeadlineExceededError, GRPCUnavailableError } from 'etcd3';
import { EtcdTestCluster, findEtcd } from 'nestjs-etcd-trigger/testing';
import { CONFIGURATIONS } from './configurations.js';
import { print } from './terminal.js';

const EXAMPLES: Readonly<Record<string, object>> = {
  [CONFIGURATIONS.database.key]: { host: 'db-1', port: 5_432, user: 'app', password: 'example' },
  [CONFIGURATIONS.redis.key]: { host: 'cache-1', port: 6_379 },
};

/**
 * Uses the cluster of `ETCD_HOSTS`, or starts an etcd that ends with this process. Writes the example configuration if
 * it is missing.
 */
export async function prepareEtcd(): Promise<{ hosts: string; own: EtcdTestCluster | undefined }> {
  const configured = process.env.ETCD_HOSTS === '' ? undefined : process.env.ETCD_HOSTS;
  const own = configured ? undefined : await startOwn();
  const hosts = configured ?? own?.hosts.join() ?? '';
  await writeMissing(hosts);
  return { hosts, own };
}

async function startOwn(): Promise<EtcdTestCluster> {
  const { version, source } = await findEtcd({
    log: (line) => {
      print('etcd', line);
    },
  });
  const cluster = await EtcdTestCluster.start();
  print('etcd', `etcd ${version} (${source}) is running at ${cluster.hosts.join()} and ends with this app`);
  return cluster;
}

/** Keeps existing keys. */
async function writeMissing(hosts: string): Promise<void> {
  const client = new Etcd3({ hosts: hosts.split(',') });
  const callOptions = { deadline: Date.now() + 10_000 };
  try {
    for (const [key, value] of Object.entries(EXAMPLES)) {
      const put = client.put(key).value(JSON.stringify(value));
      await client.if(key, 'Create', '==', 0).then(put).options(callOptions).commit();
    }
  } catch (error) {
    throw new Error(
      isUnreachable(error)
        ? `etcd at ${hosts} does not respond: start it, or unset ETCD_HOSTS to let the app start its own`
        : `etcd at ${hosts} rejects the example configuration: ${(error as Error).message}`,
    );
  } finally {
    client.close();
  }
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof GRPCUnavailableError || error instanceof GRPCDeadlineExceededError;
