import { resolve } from 'node:path';
import { run } from './command.js';
import { withoutEtcdOptions } from './etcd-version.js';
import type { EtcdBinary } from './etcd-binary.js';

/** Where one member listens, on the loopback interface. */
export interface MemberPorts {
  readonly client: number;
  readonly peer: number;
  /** Plain HTTP for health and metrics, whatever the clients' port asks for. */
  readonly metrics: number;
}

/** Paths of PEM files for the clients' port. */
export interface EtcdTestTls {
  /** Signed the clients' certificates; read only with `clientAuth`. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Ask clients for a certificate too. @default false */
  readonly clientAuth?: boolean | undefined;
}

/** The command line of a member. */
export async function memberArguments(options: EtcdMemberOptions, dataDirectory: string): Promise<string[]> {
  const { binary, name, ports, peerUrl, initialCluster, token, tls, args = [] } = options;
  const clientUrl = `${tls ? 'https' : 'http'}://127.0.0.1:${ports.client}`;
  return [
    `--name=${name}`,
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=http://127.0.0.1:${ports.peer}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--listen-metrics-urls=http://127.0.0.1:${ports.metrics}`,
    `--initial-cluster=${initialCluster}`,
    `--initial-cluster-token=${token}`,
    '--initial-cluster-state=new',
    '--logger=zap',
    '--log-level=info',
    // Elections as quick as a busy machine allows.
    '--heartbeat-interval=50',
    '--election-timeout=500',
    ...((await knowsUnsafeNoFsync(binary.path)) ? ['--unsafe-no-fsync'] : []),
    ...(tls ? tlsArguments(tls) : []),
    ...args,
  ];
}

function tlsArguments({ ca, cert, key, clientAuth = false }: EtcdTestTls): string[] {
  return [
    `--cert-file=${resolve(cert)}`,
    `--key-file=${resolve(key)}`,
    ...(clientAuth ? ['--client-cert-auth', `--trusted-ca-file=${resolve(ca)}`] : []),
  ];
}

/** Killed with SIGKILL etcd loses nothing without fsync; only a machine that crashes would. */
async function knowsUnsafeNoFsync(path: string): Promise<boolean> {
  return (await run(path, ['--help'], { env: withoutEtcdOptions(process.env) })).includes('--unsafe-no-fsync');
}

/** Everything one member is told. */
export interface EtcdMemberOptions {
  readonly binary: EtcdBinary;
  readonly name: string;
  readonly ports: MemberPorts;
  /** The URL under which the others reach it. */
  readonly peerUrl: string;
  /** `name=peerUrl` of all members, separated by commas. */
  readonly initialCluster: string;
  readonly token: string;
  readonly tls?: EtcdTestTls | undefined;
  /** Flags that come last, and so win. */
  readonly args?: readonly string[] | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}
