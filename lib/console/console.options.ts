import type { CanActivate, DynamicModule, FactoryProvider, Type } from '@nestjs/common';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { isClass } from '../dto/class-metadata.js';
import { quoted } from '../foreign/foreign-text.js';
import { checkBoolean, checkFunction, checkKnown, type OptionNames } from '../option-checks.js';

/** Token of the checked settings. */
export const CONSOLE_SETTINGS = Symbol('EtcdTriggerConsoleSettings');

/** Options of the console that a factory may return. */
export interface ConsoleSettings {
  /**
   * True if the console may write: configurations, rollbacks, pauses of handlers and redrives of parked events.
   * @default false
   */
  readonly write?: boolean | undefined;
  /**
   * Returns the name of the user of a request, for the audit trail. Called with the request of Express or Fastify before
   * each write; if it throws, or returns no name or one of more than 256 characters, the write is refused.
   * @default none: writes have no author
   */
  readonly author?: AuthorFunction | undefined;
}

/** The request of Express or Fastify. Annotate the parameter of `author` with the type of your platform for the rest. */
export interface AuthoredRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The user, if a guard or a strategy has set it. */
  readonly user?: unknown;
}

/** The type of a method, which may take the request of a platform. */
export type AuthorFunction = {
  /** Returns the name of the user. */
  author(request: AuthoredRequest): string | Promise<string>;
}['author'];

/** Options that Nest needs while it builds the module graph, so an async factory cannot return them. */
export interface StaticConsoleOptions {
  /**
   * Path of the page, below the global prefix of the application.
   * @default '/etcd'
   */
  readonly path?: string | undefined;
  /** Guards of every route: classes, which Nest creates in the console's module, or instances. Required. */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[] | undefined;
  /** Modules that export what the guards and the factory inject. */
  readonly imports?: DynamicModule['imports'] | undefined;
  /**
   * True if everybody who can reach the application may use the console. For development only.
   * @default false
   */
  readonly unprotected?: boolean | undefined;
}

/** Options of `EtcdTriggerConsoleModule.forRoot`. */
export interface ConsoleOptions extends StaticConsoleOptions, ConsoleSettings {}

/** Options of `EtcdTriggerConsoleModule.forRootAsync`. */
export interface AsyncConsoleOptions extends StaticConsoleOptions {
  /** Providers that are the arguments of `useFactory`. */
  readonly inject?: FactoryProvider['inject'] | undefined;
  /** Returns the settings. The arguments are the providers of `inject`. */
  readonly useFactory: (...injected: never[]) => ConsoleSettings | Promise<ConsoleSettings>;
}

/** Checked settings with defaults. */
export interface ResolvedConsoleSettings {
  readonly write: boolean;
  readonly author: ((request: unknown) => unknown) | undefined;
}

/** Checked static options with defaults. */
export interface ResolvedStaticConsoleOptions {
  readonly path: string;
  readonly guards: readonly (Type<CanActivate> | CanActivate)[];
  readonly imports: NonNullable<DynamicModule['imports']>;
}

const SETTINGS: OptionNames<ConsoleSettings> = { write: true, author: true };
const STATIC: OptionNames<StaticConsoleOptions> = { path: true, guards: true, imports: true, unprotected: true };
const OPTIONS: OptionNames<ConsoleOptions> = { ...STATIC, ...SETTINGS };
const ASYNC_OPTIONS: OptionNames<AsyncConsoleOptions> = { ...STATIC, inject: true, useFactory: true };

/** @throws InvalidOptionsError naming the first invalid option */
export function checkConsoleOptions(given: unknown): ResolvedStaticConsoleOptions & ResolvedConsoleSettings {
  const options = checkedObject('EtcdTriggerConsoleModule.forRoot', given, OPTIONS);
  const { path, guards, imports, unprotected, write, author } = options;
  return {
    ...staticOptions('EtcdTriggerConsoleModule.forRoot', { path, guards, imports, unprotected }),
    ...resolveConsoleSettings({ write, author }),
  };
}

/** @throws InvalidOptionsError naming the first invalid option */
export function checkAsyncConsoleOptions(
  given: unknown,
): ResolvedStaticConsoleOptions & Pick<AsyncConsoleOptions, 'inject' | 'useFactory'> {
  const method = 'EtcdTriggerConsoleModule.forRootAsync';
  const options = checkedObject(method, given, ASYNC_OPTIONS);
  const { path, guards, imports, unprotected, inject, useFactory } = options;
  if (typeof useFactory !== 'function') throw new InvalidOptionsError(`${method} needs "useFactory"`);
  return {
    ...staticOptions(method, { path, guards, imports, unprotected }),
    inject: inject as AsyncConsoleOptions['inject'],
    useFactory: useFactory as AsyncConsoleOptions['useFactory'],
  };
}

/** @throws InvalidOptionsError naming the first invalid option */
export function resolveConsoleSettings(given: unknown): ResolvedConsoleSettings {
  const { write = false, author } = checkedObject('the settings of EtcdTriggerConsoleModule', given, SETTINGS);
  if (author !== undefined) checkFunction('"author" of EtcdTriggerConsoleModule', author);
  return {
    write: checkBoolean('write', write),
    author: author as ResolvedConsoleSettings['author'],
  };
}

function checkedObject(
  owner: string,
  given: unknown,
  known: Readonly<Record<string, true>>,
): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null) throw new InvalidOptionsError(`${owner} needs an options object`);
  checkKnown(given, known, { owner: ` of ${owner}` });
  return given as Readonly<Record<string, unknown>>;
}

function staticOptions(method: string, options: Readonly<Record<string, unknown>>): ResolvedStaticConsoleOptions {
  const { path = '/etcd', guards, imports = [], unprotected = false } = options;
  return {
    path: checkedPath(path),
    guards: checkedGuards(method, guards, checkBoolean('unprotected', unprotected)),
    imports: imports as ResolvedStaticConsoleOptions['imports'],
  };
}

/** Returns the path without slashes at its ends. */
function checkedPath(path: unknown): string {
  if (typeof path === 'string' && PATH.test(path)) return path.replace(/^\/|\/$/g, '');
  const given = typeof path === 'string' ? quoted(path) : typeof path;
  throw new InvalidOptionsError(
    `"path" of EtcdTriggerConsoleModule must be a path of letters, digits, "-", "_" and "~", such as "/admin/etcd", not ${given}`,
  );
}

const PATH = /^\/?(?:[\w~-]+(?:\/[\w~-]+)*\/?)?$/;

function checkedGuards(
  method: string,
  guards: unknown,
  isUnprotected: boolean,
): ResolvedStaticConsoleOptions['guards'] {
  const given: unknown = guards ?? [];
  if (!Array.isArray(given)) throw new InvalidOptionsError(`"guards" of ${method} must be an array of guards`);
  const wrong = given.findIndex((guard) => !isGuard(guard));
  if (wrong !== -1) {
    throw new InvalidOptionsError(
      `"guards[${wrong}]" of ${method} must be a guard: a class with the method canActivate, or an instance of one`,
    );
  }
  if (given.length === 0 && !isUnprotected) {
    throw new InvalidOptionsError(
      `${method} needs "guards", because the console shows and changes the configuration: give guards: [AdminGuard], or unprotected: true to let everybody in`,
    );
  }
  return given as ResolvedStaticConsoleOptions['guards'];
}

function isGuard(guard: unknown): boolean {
  const object: unknown = isClass(guard) ? guard.prototype : guard;
  return typeof object === 'object' && object !== null && typeof Reflect.get(object, 'canActivate') === 'function';
}
