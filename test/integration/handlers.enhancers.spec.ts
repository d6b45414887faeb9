import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  SetMetadata,
  type Type,
  UnauthorizedException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  ContextIdFactory,
  type ContextIdStrategy,
  Reflector,
  REQUEST,
} from '@nestjs/core';
import {
  EtcdTriggerContext,
  type EtcdTriggerOptions,
  OnWatchError,
  Payload,
  type WatchEvent,
  type WatchFailure,
  WatchKey,
  WatchKeyRegistry,
} from 'nestjs-etcd-trigger';
import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

/** Records the calls and instantiations of the enhancers. Only Nest can inject it. */
@Injectable()
class Journal {
  readonly lines: string[] = [];
  readonly instantiated: string[] = [];
}

/** The base class of enhancers: records that Nest instantiated it. */
@Injectable()
class RecordedEnhancer {
  constructor(@Inject(Journal) protected readonly journal: Journal) {
    journal.instantiated.push(new.target.name);
  }
}

const keyOf = (host: ArgumentsHost): string => EtcdTriggerContext.of(host).event.key;

type Decorator = ClassDecorator & MethodDecorator;

/** Creates an enhancer of each kind with a given scope. It records its kind and the key that it runs for. */
const KINDS: Record<string, (scope: Scope) => Decorator> = {
  guard(scope) {
    @Injectable({ scope })
    class Guard extends RecordedEnhancer implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        this.journal.lines.push(`guard ${keyOf(context)}`);
        return true;
      }
    }
    return UseGuards(Guard);
  },
  interceptor(scope) {
    @Injectable({ scope })
    class Interceptor extends RecordedEnhancer implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler) {
        this.journal.lines.push(`interceptor ${keyOf(context)}`);
        return next.handle();
      }
    }
    return UseInterceptors(Interceptor);
  },
  pipe(scope) {
    @Injectable({ scope })
    class Pipe extends RecordedEnhancer implements PipeTransform<Buffer> {
      transform(value: Buffer) {
        this.journal.lines.push(`pipe ${value.toString()}`);
        return value;
      }
    }
    return UsePipes(Pipe);
  },
  filter(scope) {
    @Catch(RangeError)
    @Injectable({ scope })
    class Filter extends RecordedEnhancer implements ExceptionFilter {
      catch(_error: RangeError, host: ArgumentsHost): void {
        this.journal.lines.push(`filter ${keyOf(host)}`);
      }
    }
    return UseFilters(Filter);
  },
};
const SCOPES = { singleton: Scope.DEFAULT, 'request-scoped': Scope.REQUEST, transient: Scope.TRANSIENT };

describe('enhancers of a handler:', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const started = (metadata: ModuleMetadata, options: Partial<EtcdTriggerOptions> = {}) =>
    startApp({ hosts: etcd.hosts, ...options }, { ...metadata, providers: [Journal, ...(metadata.providers ?? [])] });

  const cases = Object.keys(KINDS).flatMap((kind) =>
    (Object.keys(SCOPES) as (keyof typeof SCOPES)[]).map((scope) => ({ kind, scope })),
  );
  it.each(cases)(
    'a $scope $kind runs for handlers of every scope, on providers and controllers',
    async ({ kind, scope }) => {
      const decorator = KINDS[kind]?.(SCOPES[scope]) as Decorator;
      const hostOf = (name: string): Type => {
        class Host {
          @Inject(Journal) readonly journal!: Journal;
          @WatchKey({ key: name })
          @decorator
          onEvent(@Payload() payload: Buffer) {
            this.journal.lines.push(`handler ${payload.toString()}`);
            throw new RangeError('a secret');
          }
        }
        return Host;
      };
      const providers = Object.entries(SCOPES).map(([name, own]) => {
        const Host = hostOf(`${name} provider`);
        Injectable({ scope: own })(Host);
        return Host;
      });
      const controllers = Object.entries(SCOPES).map(([name, own]) => {
        const Host = hostOf(`${name} controller`);
        Controller({ scope: own })(Host);
        return Host;
      });
      await using running = await started({ providers, controllers });
      const { lines, instantiated } = running.app.get(Journal);
      const names = Object.keys(SCOPES).flatMap((name) => [`${name} controller`, `${name} provider`]);
      for (const name of [...names, ...names]) await put(name, name);
      await eventually(() => lines.length === 24);

      const expected = names.flatMap((name) => [`${kind} ${name}`, `handler ${name}`]);
      expect(lines.sort()).toEqual([...expected, ...expected].sort());
      if (scope === 'singleton') expect(instantiated).toHaveLength(1);
      if (scope === 'request-scoped') expect(instantiated).toHaveLength(12);
      if (scope === 'transient') expect(instantiated.length).toBeGreaterThanOrEqual(6);
    },
  );

  it('all run in the order of Nest, and the last declared filter for an error handles it', async () => {
    const lines: string[] = [];
    const record = (line: string) => {
      lines.push(line);
      return true;
    };
    const wrap = (name: string): NestInterceptor => ({
      intercept: (_context, next) => {
        record(name);
        return next.handle();
      },
    });
    @Catch()
    class Any implements ExceptionFilter {
      catch() {
        record('any');
      }
    }
    @Catch(RangeError)
    class Range implements ExceptionFilter {
      catch() {
        record('range');
      }
    }
    @UseGuards({ canActivate: () => record('guard of the class') })
    @UseInterceptors(wrap('interceptor of the class'))
    @UsePipes({ transform: (value: Buffer) => `${value.toString()}, piped` })
    @UseFilters(new Any())
    class Orders {
      @WatchKey('/orders/')
      @UseGuards({ canActivate: () => record('guard of the method') })
      @UseInterceptors(wrap('interceptor of the method'))
      @UseFilters(new Range())
      onOrder(@Payload({ transform: (value: string) => `${value} twice` }) payload: string) {
        record(payload);
        throw payload.startsWith('range') ? new RangeError() : new TypeError();
      }
    }
    await using running = await started({ providers: [Orders] });
    await put('/orders/1', 'range');
    await eventually(() => lines.length === 6);
    await put('/orders/1', 'type');
    await eventually(() => lines.length === 12);

    const around = [
      'guard of the class',
      'guard of the method',
      'interceptor of the class',
      'interceptor of the method',
    ];
    expect(lines).toEqual([...around, 'range, piped twice', 'range', ...around, 'type, piped twice', 'any']);
    expect(running.app.get(WatchKeyRegistry).list()[0]?.failures).toBe(0);
  });

  it('a filter that throws and an error without a filter fail the call, and no error message is logged', async () => {
    const failures: WatchFailure[] = [];
    @Catch(RangeError)
    class Rethrowing implements ExceptionFilter {
      catch(): never {
        throw new SyntaxError('a secret');
      }
    }
    class Orders {
      @WatchKey('/orders/')
      @UseFilters(new Rethrowing())
      onOrder({ key }: WatchEvent) {
        throw key === '/orders/1' ? new RangeError('a secret') : new TypeError('a secret');
      }
      @OnWatchError()
      onFailure(failure: WatchFailure) {
        failures.push(failure);
      }
    }
    const logger = new CollectingLogger();
    await using running = await started({ providers: [Orders] }, { logger });
    running.app.useLogger(logger);
    await put('/orders/1', 'x');
    await put('/orders/2', 'x');
    await eventually(() => failures.length === 2);

    expect(failures.map(({ error }) => (error as Error).name).sort()).toEqual(['SyntaxError', 'TypeError']);
    expect(logger.text).not.toContain('a secret');
  });

  it('a call that a guard denies is counted, reported and not retried; one whose guard fails is retried', async () => {
    const failures: WatchFailure[] = [];
    let guardCalls = 0;
    class Guard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        guardCalls += 1;
        if (keyOf(context) === '/orders/2') throw new UnauthorizedException('a secret');
        if (guardCalls === 3) throw new TypeError('a secret');
        return keyOf(context) === '/orders/3';
      }
    }
    const handled: string[] = [];
    @UseGuards(Guard)
    class Orders {
      @WatchKey('/orders/', { retry: { attempts: 3, backoff: { initialMs: 1 } } })
      onOrder({ key }: WatchEvent) {
        handled.push(key);
      }
      @OnWatchError('/orders/')
      onFailure(failure: WatchFailure) {
        failures.push(failure);
      }
      @OnWatchError('/other/')
      onOther(failure: WatchFailure) {
        failures.push(failure);
      }
    }
    const logger = new CollectingLogger();
    await using running = await started({ providers: [Orders] }, { logger });
    for (const key of ['/orders/1', '/orders/2']) await put(key, 'a secret');
    await eventually(() => failures.length === 2);
    await put('/orders/3', 'a secret');
    await eventually(() => handled.length === 1);

    expect(failures.map(({ error, attempts, handler }) => [(error as Error).constructor, attempts, handler])).toEqual([
      [ForbiddenException, 1, 'Orders.onOrder'],
      [UnauthorizedException, 1, 'Orders.onOrder'],
    ]);
    expect([guardCalls, handled]).toEqual([4, ['/orders/3']]);
    const [handler] = running.app.get(WatchKeyRegistry).list();
    expect([handler?.refused, handler?.failures]).toEqual([2, 3]);
    expect(logger.text).toMatch(/error Orders.onOrder failed for key "\/orders\/1" at revision \d+: a guard denied it/);
    expect(logger.text).not.toContain('a secret');
  });

  it('a guard reads the metadata of method and class, the event, the key parameters and the attempt', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Roles implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        const { event, handler, attempt, keyParameters, signal, payload } = EtcdTriggerContext.of(context);
        const role = this.reflector.getAllAndOverride<string>('role', [context.getHandler(), context.getClass()]);
        seen.push(role, event.key, handler, attempt, keyParameters, signal.aborted, String(payload));
        seen.push(context.switchToRpc().getContext() === EtcdTriggerContext.of(context));
        return true;
      }
    }
    @UseGuards(Roles)
    @SetMetadata('role', 'reader')
    class Orders {
      @WatchKey('/tenants/:tenant/limits')
      @SetMetadata('role', 'writer')
      onLimits() {}
    }
    await using running = await started({ providers: [Orders] });
    await running.watcher.put('/tenants/a/limits', '7');
    await eventually(() => seen.length > 0);

    expect(seen).toEqual(['writer', '/tenants/a/limits', 'Orders.onLimits', 1, { tenant: 'a' }, false, '7', true]);
  });

  describe('global ones', () => {
    const globals = (scope: Scope) => {
      @Injectable({ scope })
      class Guard extends RecordedEnhancer implements CanActivate {
        canActivate(context: ExecutionContext): boolean {
          this.journal.lines.push(`guard ${keyOf(context)}`);
          return !keyOf(context).endsWith('denied');
        }
      }
      @Injectable({ scope })
      class Interceptor extends RecordedEnhancer implements NestInterceptor {
        intercept(_context: ExecutionContext, next: CallHandler) {
          this.journal.lines.push('interceptor');
          return next.handle();
        }
      }
      @Injectable({ scope })
      class Pipe extends RecordedEnhancer implements PipeTransform {
        transform(value: unknown) {
          this.journal.lines.push('pipe');
          return value;
        }
      }
      @Catch(RangeError)
      @Injectable({ scope })
      class Filter extends RecordedEnhancer implements ExceptionFilter {
        catch() {
          this.journal.lines.push('filter');
        }
      }
      return [
        { provide: APP_GUARD, useClass: Guard, scope },
        { provide: APP_INTERCEPTOR, useClass: Interceptor, scope },
        { provide: APP_PIPE, useClass: Pipe, scope },
        { provide: APP_FILTER, useClass: Filter, scope },
      ];
    };
    class Orders {
      @Inject(Journal) readonly journal!: Journal;
      @WatchKey('/orders/')
      onOrder({ key }: WatchEvent) {
        this.journal.lines.push(`handler ${key}`);
        if (key.endsWith('bad')) throw new RangeError();
      }
    }

    it.each(Object.keys(SCOPES) as (keyof typeof SCOPES)[])('do not run by default: %s', async (scope) => {
      await using running = await started({ providers: [...globals(SCOPES[scope]), Orders] });
      await put('/orders/denied', 'x');
      const { lines } = running.app.get(Journal);
      await eventually(() => lines.length > 0);

      expect(lines).toEqual(['handler /orders/denied']);
    });

    it.each(Object.keys(SCOPES) as (keyof typeof SCOPES)[])('run with useGlobalEnhancers: %s', async (scope) => {
      await using running = await started(
        { providers: [...globals(SCOPES[scope]), Orders] },
        { handlers: { useGlobalEnhancers: true } },
      );
      const { lines } = running.app.get(Journal);
      await put('/orders/bad', 'x');
      await eventually(() => lines.length >= 6);
      await put('/orders/denied', 'x');
      await eventually(() => lines.length >= 7);

      expect(lines).toEqual([
        'guard /orders/bad',
        'interceptor',
        'pipe',
        'pipe',
        'handler /orders/bad',
        'filter',
        'guard /orders/denied',
      ]);
    });
  });

  it('each event has a separate AsyncLocalStorage context and separate request-scoped providers', async () => {
    const storage = new AsyncLocalStorage<string>();
    const inContext: NestInterceptor = {
      intercept: (context, next) =>
        new Observable((subscriber) => storage.run(keyOf(context), () => next.handle().subscribe(subscriber))),
    };
    @Injectable({ scope: Scope.REQUEST })
    class Unit {
      constructor(@Inject(REQUEST) readonly event: WatchEvent) {}
    }
    const seen: string[] = [];
    @UseInterceptors(inContext)
    @Injectable()
    class Orders {
      constructor(private readonly unit: Unit) {}
      @WatchKey('/orders/')
      async onOrder({ key }: WatchEvent) {
        const before = storage.getStore();
        await eventually(() => seen.length > 0 || key === '/orders/1');
        seen.push(`${key} ${before ?? '-'} ${storage.getStore() ?? '-'} ${this.unit.event.key}`);
      }
    }
    await using running = await started({ providers: [Orders, Unit] });
    await running.watcher.put('/orders/2', 'x');
    await running.watcher.put('/orders/1', 'x');
    await eventually(() => seen.length === 2);

    expect(seen).toEqual(['/orders/1 /orders/1 /orders/1 /orders/1', '/orders/2 /orders/2 /orders/2 /orders/2']);
    expect(storage.getStore()).toBeUndefined();
  });

  describe('durable providers', () => {
    const tenants = new Map(['a', 'b'].map((tenant) => [tenant, ContextIdFactory.create()]));
    const runWith = async (attach: ContextIdStrategy['attach']) => {
      const built: unknown[] = [];
      const seen: string[] = [];
      @Injectable({ scope: Scope.REQUEST, durable: true })
      class Tenant {
        constructor(@Inject(REQUEST) payload: unknown) {
          built.push(payload);
        }
      }
      @Injectable()
      class Orders {
        constructor(readonly tenant: Tenant) {}
        @WatchKey('/orders/')
        onOrder({ key }: WatchEvent) {
          seen.push(key);
        }
      }
      ContextIdFactory.apply({ attach });
      try {
        await using running = await started({ providers: [Orders, Tenant] });
        for (const key of ['/orders/a/1', '/orders/b/1', '/orders/a/2']) await running.watcher.put(key, 'x');
        await eventually(() => seen.length === 3);
        return { built, seen: seen.sort() };
      } finally {
        ContextIdFactory.apply({ attach: () => undefined });
      }
    };

    it('are instantiated once for each context of the strategy', async () => {
      const { built } = await runWith((contextId, { key }: WatchEvent) => {
        const tenant = key.split('/')[2] ?? '';
        return {
          resolve: ({ isTreeDurable }) => (isTreeDurable ? (tenants.get(tenant) ?? contextId) : contextId),
          payload: { tenant },
        };
      });

      expect(built).toEqual([{ tenant: 'a' }, { tenant: 'b' }]);
    });

    it.each<[string, ContextIdStrategy['attach']]>([
      [
        'throws',
        (_, { headers }: { headers: Record<string, string> }) => tenants.get(headers['x-tenant'] ?? '') as never,
      ],
      [
        'returns a function that throws',
        (_, { headers }: { headers?: Record<string, string> }) =>
          () =>
            tenants.get((headers as Record<string, string>)['x-tenant'] ?? '') as never,
      ],
      ['returns a function that finds nothing', () => () => undefined as never],
    ])('do not stop events if the strategy only knows HTTP requests and %s', async (_, attach) => {
      const { seen } = await runWith(attach);

      expect(seen).toEqual(['/orders/a/1', '/orders/a/2', '/orders/b/1']);
    });
  });

  it('a class that two modules provide runs with the enhancers of each module', async () => {
    const seen: string[] = [];
    @Injectable()
    class Guard implements CanActivate {
      constructor(@Inject('NAME') private readonly name: string) {}
      canActivate(): boolean {
        seen.push(this.name);
        return true;
      }
    }
    @Injectable()
    @UseGuards(Guard)
    class Orders {
      @WatchKey('/orders/')
      onOrder() {}
    }
    @Module({ providers: [Orders, { provide: 'NAME', useValue: 'first' }] })
    class First {}
    @Module({ providers: [Orders, { provide: 'NAME', useValue: 'second' }] })
    class Second {}
    await using running = await started({ imports: [First, Second] });
    await running.watcher.put('/orders/1', 'x');
    await eventually(() => seen.length === 2);

    expect(seen.sort()).toEqual(['first', 'second']);
  });

  it('one that Nest would silently skip fails the bootstrap', async () => {
    class Guard implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    @UseGuards(Guard)
    class Orders {
      @WatchKey('/orders/')
      onOrder() {}
    }
    await expect(started({ providers: [{ provide: Orders, useFactory: () => new Orders() }] })).rejects.toThrow(
      /Orders.onOrder: Guard is never instantiated, because Nest did not create Orders from its class/,
    );
  });
});
