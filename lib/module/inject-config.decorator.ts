import 'reflect-metadata';
import { Inject, type InjectionToken, type Type } from '@nestjs/common';
import { isClass } from '../dto/class-metadata.js';
import { className } from '../dto/dto-type.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';

/** A `ConfigRef` that is asked for. */
export interface ConfigRequest {
  readonly type: Type<object>;
  /** Key or prefix of the definition; `undefined`: the only one with this class. */
  readonly name: string | undefined;
  readonly cluster: string;
  readonly token: symbol;
}

/**
 * Token of a definition's `ConfigRef`: of the definition with this class and this key or prefix, or, without one, of the only definition with this class. Two
 * classes of one name have different tokens.
 *
 * @throws InvalidOptionsError when `type` is no class
 */
export const getConfigToken = (
  type: Type<object>,
  keyOrPrefix?: string,
  cluster: string = DEFAULT_CLUSTER,
): InjectionToken => requestOf(type, keyOrPrefix, cluster).token;

/**
 * Injects the `ConfigRef` of a definition in `configs` or `forFeature`: `ConfigRef<T>` for a `{ key }`, `ConfigRef<ReadonlyMap<string, T>>` for a
 * `{ prefix }`. Without `keyOrPrefix`, that of the only definition with this class.
 *
 * @throws InvalidOptionsError when `type` is no class
 */
export function InjectConfig(
  type: Type<object>,
  keyOrPrefix?: string,
  cluster: string = DEFAULT_CLUSTER,
): ParameterDecorator & PropertyDecorator {
  const request = requestOf(type, keyOrPrefix, cluster);
  asked.add(request);
  const inject = Inject(request.token);
  return (target: object, property?: string | symbol, index?: number) => {
    const owner = typeof target === 'function' ? target : target.constructor;
    Reflect.defineMetadata(CONFIG_REQUESTS, [...requestsOf(owner), request], owner);
    inject(target, property, index as number);
  };
}

/** What a class asks for. */
export const requestsOf = (owner: object): readonly ConfigRequest[] =>
  (Reflect.getMetadata(CONFIG_REQUESTS, owner) as readonly ConfigRequest[] | undefined) ?? [];

/** What any class that was loaded so far asks for of a cluster. */
export const askedOf = (cluster: string): ConfigRequest[] =>
  [...asked].filter((request) => request.cluster === cluster);

export function requestOf(type: Type<object>, name: string | undefined, cluster: string): ConfigRequest {
  checkClass(type, name);
  const requests = requestsByType.get(type) ?? new Map<string, ConfigRequest>();
  requestsByType.set(type, requests);
  const id = JSON.stringify([cluster, name]);
  const known = requests.get(id);
  if (known) return known;
  const request = { type, name, cluster, token: Symbol(descriptionOf(type, name, cluster)) };
  requests.set(id, request);
  return request;
}

/** As a line of code, to be added where it is missing. */
export function featureLine({ type, name = '/key', cluster }: Omit<ConfigRequest, 'token'>): string {
  const target = name.endsWith('/') ? 'prefix' : 'key';
  const definitions = `[{ ${target}: ${JSON.stringify(name)}, type: ${className(type)} }]`;
  return `EtcdTriggerModule.forFeature(${definitions}${cluster === DEFAULT_CLUSTER ? '' : `, ${JSON.stringify(cluster)}`})`;
}

function checkClass(type: unknown, name: string | undefined): void {
  if (isClass(type)) return;
  const what = name === undefined ? 'a configuration' : `the configuration ${JSON.stringify(name)}`;
  const fault = type === undefined ? 'undefined: do its file and this one import each other?' : 'no class';
  throw new InvalidOptionsError(`${what} is injected by its class, which is ${fault}`);
}

/** Where Nest knows only the token, it says at least what the token wants. */
const descriptionOf = (type: Type<object>, name: string | undefined, cluster: string): string =>
  `ConfigRef of ${className(type)}${name === undefined ? '' : ` at ${JSON.stringify(name)}`}${TO_BE_DEFINED}${featureLine({ type, name, cluster })}`;

const TO_BE_DEFINED = ', to be defined by ';

/** A provider as a sentence calls it, by its token. */
export function describeToken(token: InjectionToken): string {
  if (typeof token === 'symbol') return (token.description ?? '').split(TO_BE_DEFINED)[0] ?? '';
  return typeof token === 'function' ? className(token) : token;
}

/** The same symbol in every copy of this package. */
const CONFIG_REQUESTS = Symbol.for('nestjs-etcd-trigger:config-requests');

const requestsByType = new WeakMap<Type<object>, Map<string, ConfigRequest>>();
const asked = new Set<ConfigRequest>();
