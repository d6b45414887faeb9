import 'reflect-metadata';
import { Inject, type InjectionToken, type Type } from '@nestjs/common';
import { isClass } from '../dto/class-metadata.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import { quoted } from '../foreign/foreign-text.js';
import { className } from '../foreign/class-name.js';

/** Identifies the `ConfigRef` that an `@InjectConfig` or `getConfigToken` requests. */
export interface ConfigRequest {
  readonly type: Type<object>;
  /** Key or prefix of the definition; `undefined`: the only definition with this class. */
  readonly name: string | undefined;
  readonly cluster: string;
  readonly token: symbol;
}

/**
 * Token of the `ConfigRef` of a definition. Without `keyOrPrefix`, it is the only definition with this class. Classes
 * with the same name have different tokens.
 *
 * @throws InvalidOptionsError if `type` is not a class
 */
export const getConfigToken = (
  type: Type<object>,
  keyOrPrefix?: string,
  cluster: string = DEFAULT_CLUSTER,
): InjectionToken => requestOf(type, keyOrPrefix, cluster).token;

/**
 * Injects the `ConfigRef` of a definition in `configs` or `forFeature`: `ConfigRef<T>` for a `{ key }`,
 * `ConfigRef<ReadonlyMap<string, T>>` for a `{ prefix }`. Without `keyOrPrefix`, it is the only definition with this
 * class.
 *
 * @throws InvalidOptionsError if `type` is not a class
 */
export function InjectConfig(
  type: Type<object>,
  keyOrPrefix?: string,
  cluster: string = DEFAULT_CLUSTER,
): ParameterDecorator & PropertyDecorator {
  const request = requestOf(type, keyOrPrefix, cluster);
  allRequests.add(request);
  const inject = Inject(request.token);
  return (target: object, property?: string | symbol, index?: number) => {
    const owner = typeof target === 'function' ? target : target.constructor;
    Reflect.defineMetadata(CONFIG_REQUESTS, [...requestsOf(owner), request], owner);
    inject(target, property, index as number);
  };
}

/** Returns the `@InjectConfig` requests of a class, inherited ones included. */
export const requestsOf = (owner: object): readonly ConfigRequest[] =>
  (Reflect.getMetadata(CONFIG_REQUESTS, owner) as readonly ConfigRequest[] | undefined) ?? [];

/** Returns the `@InjectConfig` requests of all classes loaded so far to one cluster. */
export const requestsToCluster = (cluster: string): ConfigRequest[] =>
  [...allRequests].filter((request) => request.cluster === cluster);

export function requestOf(type: Type<object>, name: string | undefined, cluster: string): ConfigRequest {
  checkClass(type, name);
  const requests = requestsByType.get(type) ?? new Map<string, ConfigRequest>();
  requestsByType.set(type, requests);
  const id = JSON.stringify([cluster, name]);
  const existing = requests.get(id);
  if (existing) return existing;
  const request = { type, name, cluster, token: Symbol(descriptionOf(type, name, cluster)) };
  requests.set(id, request);
  return request;
}

/** Returns the import that defines the requested configuration, as a line of code for messages. */
export function featureLine({ type, name = '/key', cluster }: Omit<ConfigRequest, 'token'>): string {
  const target = name.endsWith('/') ? 'prefix' : 'key';
  const definitions = `[{ ${target}: ${quoted(name)}, type: ${className(type)} }]`;
  return `EtcdTriggerModule.forFeature(${definitions}${cluster === DEFAULT_CLUSTER ? '' : `, ${quoted(cluster)}`})`;
}

function checkClass(type: unknown, name: string | undefined): void {
  if (isClass(type)) return;
  const subject = name === undefined ? 'a configuration' : `the configuration ${quoted(name)}`;
  const fault = type === undefined ? 'is undefined: check for a circular import' : 'is not a class';
  throw new InvalidOptionsError(`${subject} cannot be injected, because its type ${fault}`);
}

/** Nest's own errors show only the token, so its description names the missing import. */
const descriptionOf = (type: Type<object>, name: string | undefined, cluster: string): string =>
  `ConfigRef of ${className(type)}${name === undefined ? '' : ` at ${quoted(name)}`}${DEFINED_BY}${featureLine({ type, name, cluster })}`;

const DEFINED_BY = ', defined by ';

/** For messages: the name of a provider, by its token. */
export function describeToken(token: InjectionToken): string {
  if (typeof token === 'symbol') return (token.description ?? '').split(DEFINED_BY)[0] ?? '';
  return typeof token === 'function' ? className(token) : token;
}

/** The same symbol in every copy of this package. */
const CONFIG_REQUESTS = Symbol.for('nestjs-etcd-trigger:config-requests');

const requestsByType = new WeakMap<Type<object>, Map<string, ConfigRequest>>();
const allRequests = new Set<ConfigRequest>();
