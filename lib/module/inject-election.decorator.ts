import { Inject, type InjectionToken } from '@nestjs/common';
import { checkName } from '../coordination/coordination-keys.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';

/** Identifies the `Election` that an `@InjectElection` or `getElectionToken` requests. */
export interface ElectionRequest {
  readonly name: string;
  readonly cluster: string;
  readonly token: symbol;
}

/**
 * Token of an `Election`.
 * @throws InvalidOptionsError for a name that cannot be part of a key
 */
export const getElectionToken = (name: string, cluster: string = DEFAULT_CLUSTER): InjectionToken =>
  requestOf(name, cluster).token;

/**
 * Injects an `Election`, and makes this instance a candidate in it. Requires the option `coordination`.
 * @throws InvalidOptionsError for a name that cannot be part of a key
 */
export const InjectElection = (
  name: string,
  cluster: string = DEFAULT_CLUSTER,
): ParameterDecorator & PropertyDecorator => Inject(getElectionToken(name, cluster));

/** Returns the requested elections of all classes loaded so far in one cluster. */
export const electionRequestsTo = (cluster: string): ElectionRequest[] =>
  [...requests.values()].filter((request) => request.cluster === cluster);

function requestOf(name: string, cluster: string): ElectionRequest {
  checkName('the name of an election', name);
  const id = JSON.stringify([cluster, name]);
  const existing = requests.get(id);
  if (existing) return existing;
  const request = { name, cluster, token: Symbol(`Election "${name}" of the cluster "${cluster}"`) };
  requests.set(id, request);
  return request;
}

const requests = new Map<string, ElectionRequest>();
