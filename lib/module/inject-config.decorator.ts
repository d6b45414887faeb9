import 'reflect-metadata';
import { Inject, type InjectionToken } from '@nestjs/common';
import { isClass } from '../dto/class-metadata.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { DEFAULT_CLUSTER } from './etcd-trigger.tokens.js';
import { quoted } from '../foreign/foreign-text.js';
import { className } from '../foreign/class-name.js';
import { isStandardSchema } from '../dto/standard-schema.js';
import { typeName, type ValueType } from '../dto/value-type.js';
import { checkKnown } from '../option-checks.js';

/** Selects a part of a `{ prefix }` definition, with keys relative to the prefix. */
export interface UnderPrefix {
  /** The prefix of the definition. */
  readonly under: string;
  /**
   * One key, without the prefix.
   * @default none: all keys under the prefix, as a map of relative keys
   */
  readonly key?: string | undefined;
}

/** Identifies the `ConfigRef` that an `@InjectConfig` or `getConfigToken` requests. */
export interface ConfigRequest {
  readonly type: ValueType;
  /** Key or prefix; `undefined`: the only definition with this class or schema. */
  readonly name: string | undefined;
  /** Set if a part of a definition is requested; `name` is then the whole key or prefix. */
  readonly part: UnderPrefix | undefined;
  readonly cluster: string;
  readonly token: symbol;
}

/**
 * Token of the `ConfigRef` that `@InjectConfig` injects for the same arguments. Classes with the same name have
 * different tokens.
 *
 * @throws InvalidOptionsError if `type` is neither a class nor a schema
 */
export function getConfigToken(
  type: ValueType,
  location?: string | UnderPrefix,
  cluster: string = DEFAULT_CLUSTER,
): InjectionToken {
  const request = requestOf(type, location, cluster);
  // A definition provides its own token, but not those of its parts.
  if (request.part) allRequests.add(request);
  return request.token;
}

/**
 * Injects the `ConfigRef` of a definition in `configs` or `forFeature`, by its class or schema: `ConfigRef<T>` for a
 * `{ key }`, `ConfigRef<ReadonlyMap<string, T>>` for a `{ prefix }`. `location` is the key or prefix of the definition;
 * without it, it is the only definition with this class or schema.
 *
 * `{ under, key }` injects one key of a `{ prefix }` definition, `ConfigRef<T | undefined>`; `{ under }` injects the map
 * of a `{ prefix }` definition with keys relative to the prefix.
 *
 * @throws InvalidOptionsError if `type` is neither a class nor a schema
 */
export function InjectConfig(
  type: ValueType,
  location?: string | UnderPrefix,
  cluster: string = DEFAULT_CLUSTER,
): ParameterDecorator & PropertyDecorator {
  const request = requestOf(type, location, cluster);
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

/** Returns the requests of all classes loaded so far to one cluster. */
export const requestsToCluster = (cluster: string): ConfigRequest[] =>
  [...allRequests].filter((request) => request.cluster === cluster);

export function requestOf(type: ValueType, location: string | UnderPrefix | undefined, cluster: string): ConfigRequest {
  const part = typeof location === 'object' ? checkPart(location) : undefined;
  const name = part ? part.under + (part.key ?? '') : (location as string | undefined);
  checkClass(type, name);
  const requests = requestsByType.get(type) ?? new Map<string, ConfigRequest>();
  requestsByType.set(type, requests);
  const id = JSON.stringify([cluster, name, part]);
  const existing = requests.get(id);
  if (existing) return existing;
  const description = descriptionOf({ type, name, part, cluster });
  const request = { type, name, part, cluster, token: Symbol(description) };
  requests.set(id, request);
  return request;
}

/** Returns the import that defines the requested configuration, as a line of code for messages. */
export function featureLine({ type, name = '/key', part, cluster }: Omit<ConfigRequest, 'token'>): string {
  const target = part || name.endsWith('/') ? 'prefix' : 'key';
  const values = isStandardSchema(type) ? 'schema' : `type: ${className(type)}`;
  const definitions = `[{ ${target}: ${quoted(part?.under ?? name)}, ${values} }]`;
  return `EtcdTriggerModule.forFeature(${definitions}${cluster === DEFAULT_CLUSTER ? '' : `, ${quoted(cluster)}`})`;
}

function checkPart(part: UnderPrefix): UnderPrefix {
  checkKnown(part, { under: true, key: true }, { owner: ' of @InjectConfig' });
  const { under, key } = part as { readonly under?: unknown; readonly key?: unknown };
  if (typeof under !== 'string') {
    throw new InvalidOptionsError('"under" of @InjectConfig must be the prefix of a definition');
  }
  if (key !== undefined && (typeof key !== 'string' || key === '')) {
    throw new InvalidOptionsError(
      `"key" of @InjectConfig must be a key without the prefix ${quoted(under)}; leave it out for all keys`,
    );
  }
  return { under, key };
}

function checkClass(type: unknown, name: string | undefined): void {
  if (isStandardSchema(type) || isClass(type)) return;
  const subject = name === undefined ? 'a configuration' : `the configuration ${quoted(name)}`;
  const fault = type === undefined ? 'is undefined: check for a circular import' : 'is neither a class nor a schema';
  throw new InvalidOptionsError(`${subject} cannot be injected, because its type ${fault}`);
}

/** Nest's own errors show only the token, so its description names the missing import. */
const descriptionOf = (request: Omit<ConfigRequest, 'token'>): string =>
  `ConfigRef of ${requestName(request)}${DEFINED_BY}${featureLine(request)}`;

/** For messages: `DatabaseConfig at "/app/db"`, `Flag under "/flags/"`. */
export function requestName({ type, name, part }: Omit<ConfigRequest, 'token'>): string {
  if (name === undefined) return typeName(type);
  return part && part.key === undefined
    ? `${typeName(type)} under ${quoted(part.under)}`
    : `${typeName(type)} at ${quoted(name)}`;
}

const DEFINED_BY = ', defined by ';

/** For messages: the name of a provider, by its token. */
export function describeToken(token: InjectionToken): string {
  if (typeof token === 'symbol') return (token.description ?? '').split(DEFINED_BY)[0] ?? '';
  return typeof token === 'function' ? className(token) : token;
}

/** The same symbol in every copy of this package. */
const CONFIG_REQUESTS = Symbol.for('nestjs-etcd-trigger:config-requests');

const requestsByType = new WeakMap<ValueType, Map<string, ConfigRequest>>();
const allRequests = new Set<ConfigRequest>();
