import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { EtcdWatchdog } from '../../lib/testing/etcd/etcd-watchdog.js';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from './eventually.js';
import { TemporaryFolder } from './temporary-folder.js';

/** The gRPC proxy of etcd (`etcd grpc-proxy start`) in front of a cluster. It does not outlive this process. */
export class GrpcProxy implements AsyncDisposable {
  private constructor(
    readonly endpoint: string,
    private readonly watchdog: EtcdWatchdog,
  ) {}

  /** Resolves when the proxy accepts connections. */
  static async start({ binary, endpoints }: EtcdTestCluster): Promise<GrpcProxy> {
    const [port = 0] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    // The watchdog removes the folder.
    const { path } = await TemporaryFolder.create('grpc-proxy');
    const proxy = new GrpcProxy(`http://${address}`, new EtcdWatchdog(path));
    try {
      await proxy.watchdog.start({
        program: binary.path,
        args: ['grpc-proxy', 'start', `--endpoints=${endpoints.join()}`, `--listen-addr=${address}`],
        cwd: path,
        env: process.env,
        log: join(path, 'grpc-proxy.log'),
      });
      await eventually(() => proxy.check(port), { withinMs: 20_000 });
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watchdog.end();
  }

  private async check(port: number): Promise<void> {
    if (this.watchdog.exit !== undefined) throw new Error(`the proxy has ended: ${this.watchdog.exit}`);
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  }
}
