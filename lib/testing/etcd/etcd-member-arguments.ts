import { resolve } from 'node:path';
import type { OptionalProperties, OptionNames } from '../../option-checks.js';
import { checkOption, checkOptions, isObject } from '../argument-checks.js';
import { run } from './command.js';
import { withoutEtcdOptions } from './etcd-program.js';
import type { EtcdBinary } from './etcd-binary.js';

/** Loopback ports of one member. */
export interface MemberPorts {
  readonly client: number;
  readonly peer: number;
  /** Serves health and metrics over plain HTTP, also if the client port uses TLS. */
  readonly metrics: number;
}

/** Paths of the PEM files for the client port. */
export interface EtcdTestTls {
  /** Authority that signed the client certificates. Used only with `clientAuth`. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Require a certificate from clients. @default false */
  readonly clientAuth?: boolean | undefined;
}

/** Returns the command line of a member. */
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
    // The shortest election timeout that still works on a busy machine.
    '--heartbeat-interval=50',
    '--election-timeout=500',
    ...((await supportsUnsafeNoFsync(binary.path)) ? ['--unsafe-no-fsync'] : []),
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

/** Without fsync, etcd loses data only if the machine crashes, not if the process is killed. */
async function supportsUnsafeNoFsync(path: string): Promise<boolean> {
  return (await run(path, ['--help'], { env: withoutEtcdOptions(process.env) })).includes('--unsafe-no-fsync');
}

/** Options of one member. */
export interface EtcdMemberOptions {
  readonly binary: EtcdBinary;
  readonly name: string;
  readonly ports: MemberPorts;
  /** URL that the other members use to reach this one. */
  readonly peerUrl: string;
  /** `name=peerUrl` of all members, separated by commas. */
  readonly initialCluster: string;
  readonly token: string;
  readonly tls?: EtcdTestTls | undefined;
  /** Appended to the command line, so these flags override the defaults. */
  readonly args?: readonly string[] | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

const METHOD = 'new EtcdMember()';
const OPTIONS: OptionNames<EtcdMemberOptions> = {
  binary: true,
  name: true,
  ports: true,
  peerUrl: true,
  initialCluster: true,
  token: true,
  tls: true,
  args: true,
  env: true,
};

/** @throws InvalidOptionsError */
export function checkMemberOptions(options: EtcdMemberOptions): void {
  checkOptions(METHOD, options, OPTIONS);
  for (const name of ['name', 'peerUrl', 'initialCluster', 'token'] as const) {
    checkOption(METHOD, name, typeof options[name] === 'string', 'a string');
  }
  const { ports } = options;
  const arePorts = isObject(ports) && [ports.client, ports.peer, ports.metrics].every(Number.isInteger);
  checkOption(METHOD, 'ports', arePorts, 'an object with the numbers client, peer and metrics');
  checkOption(METHOD, 'binary', isObject(options.binary), BINARY);
  checkProcessOptions(METHOD, options);
}

/** @throws InvalidOptionsError */
export function checkProcessOptions(
  method: string,
  { binary, tls, args, env }: OptionalProperties<Pick<EtcdMemberOptions, 'binary' | 'tls' | 'args' | 'env'>>,
): void {
  checkOption(method, 'binary', binary === undefined || (isObject(binary) && typeof binary.path === 'string'), BINARY);
  const isTls = tls === undefined || (isObject(tls) && [tls.ca, tls.cert, tls.key].every((path) => isText(path)));
  checkOption(method, 'tls', isTls, 'an object with the paths of the files ca, cert and key');
  checkOption(
    method,
    'args',
    args === undefined || isTexts(args),
    'an array of flags, such as ["--quota-backend-bytes=1"]',
  );
  checkOption(method, 'env', env === undefined || isObject(env), 'an object of environment variables');
}

const BINARY = 'a result of findEtcd()';

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isTexts = (values: unknown): boolean => Array.isArray(values) && values.every(isText);
