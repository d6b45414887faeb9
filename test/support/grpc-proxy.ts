import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from './eventually.js';

/** The gRPC proxy of etcd (`etcd grpc-proxy start`) in front of a cluster. */
export class GrpcProxy implements AsyncDisposable {
  private constructor(
    readonly endpoint: string,
    private readonly process: ChildProcess,
  ) {}

  /** Resolves when the proxy accepts connections. */
  static async start({ binary, endpoints }: EtcdTestCluster): Promise<GrpcProxy> {
    const [port = 0] = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    const args = ['grpc-proxy', 'start', `--endpoints=${endpoints.join()}`, `--listen-addr=${address}`];
    const proxy = new GrpcProxy(`http://${address}`, spawn(binary.path, args, { stdio: 'ignore' }));
    try {
      await eventually(() => proxy.check(port), { withinMs: 20_000 });
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }

  private async check(port: number): Promise<void> {
    if (this.process.exitCode !== null) throw new Error('the proxy has ended');
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  }
}
