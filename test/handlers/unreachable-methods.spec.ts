import { type CanActivate, Injectable, type Provider, Scope, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { BootError, ClusterCron, InvalidOptionsError, OnElected, OnWatchError, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { quiet } from '../support/quiet-logger.js';

@Injectable()
class Orders {
  readonly keys: string[] = [];

  @WatchKey('/orders/')
  onOrder(event: { readonly key: string }): void {
    this.keys.push(event.key);
  }
}

/** A decorator of another library that wraps the method and forgets its metadata. */
const Wrapped = (_owner: object, _name: string, descriptor: PropertyDescriptor): void => {
  const inner = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function (this: unknown, ...args: unknown[]): unknown {
    return inner.apply(this, args);
  };
};

async function started(...providers: Provider[]) {
  const app = await Test.createTestingModule({
    imports: [EtcdTriggerTestingModule.forRoot({ logger: quiet })],
    providers,
  }).compile();
  return app.init();
}

/** The messages of a bootstrap that fails. */
async function problemsWith(...providers: Provider[]): Promise<string[]> {
  const failed: unknown = await started(...providers).then(
    (app) => app.close(),
    (error: unknown) => error,
  );
  return failed instanceof BootError ? failed.problems.map(({ message }) => message) : [];
}

describe('a decorated method that no event would reach fails the bootstrap', () => {
  it('if a decorator above replaced it', async () => {
    class Lost {
      @Wrapped
      @WatchKey('/a/')
      onEvent() {}
    }
    class Kept {
      @WatchKey('/a/')
      @Wrapped
      onEvent() {}
    }
    expect(await problemsWith(Lost, Kept)).toEqual([
      'Lost.onEvent: can never run: a decorator above @WatchKey replaces the method and drops its metadata: put that decorator below @WatchKey, or let it copy the metadata',
    ]);
  });

  it('if a subclass overrides it without a decorator', async () => {
    class Silent extends Orders {
      override onOrder() {}
    }
    class Decorated extends Orders {
      @OnWatchError()
      override onOrder() {}
    }
    class Inherited extends Orders {}

    expect(await problemsWith(Silent, Decorated, Inherited)).toEqual([
      'Silent.onOrder: can never run: it overrides a method with @WatchKey of Orders, but has no decorator: decorate it as well, or give it another name',
    ]);
  });

  it('if it should run at a tick or in a term, too', async () => {
    class Lost {
      @Wrapped
      @ClusterCron('* * * * *', { name: 'lost' })
      onTick() {}
      @Wrapped
      @OnElected('lost')
      onElected() {}
    }
    expect(await problemsWith(Lost)).toEqual([
      expect.stringMatching(/^Lost.onTick: can never run: a decorator above @ClusterCron replaces the method/),
      expect.stringMatching(/^Lost.onElected: can never run: a decorator above @OnElected replaces the method/),
    ]);
  });

  it('if a factory creates its class per request or per consumer', async () => {
    const factory = { provide: Orders, useFactory: () => new Orders() };
    const fault =
      'Orders.onOrder: can never run: a useFactory with the scope REQUEST or TRANSIENT creates Orders, so that it cannot be found: provide the class, or make the factory a singleton';

    expect(await problemsWith({ ...factory, scope: Scope.REQUEST })).toEqual([fault]);
    expect(await problemsWith({ ...factory, scope: Scope.TRANSIENT })).toEqual([fault]);
    expect(await problemsWith(factory)).toEqual([]);
  });

  it('if the value of its provider is the class or an object literal', async () => {
    const other: unknown = Reflect.get(Orders.prototype, 'onOrder');
    const literal = { undecorated: () => undefined, other };

    expect(await problemsWith({ provide: 'CLASS', useValue: Orders })).toEqual([
      'Orders.onOrder: can never run: its provider is the class Orders itself: provide an instance of it',
    ]);
    expect(await problemsWith({ provide: 'LITERAL', useValue: literal })).toEqual([
      'LITERAL.other: can never run: its object is not an instance of a class: provide an instance of the class that declares the method',
    ]);
    expect(await problemsWith({ provide: 'CLASS', useValue: Orders }, Orders)).toEqual([]);
  });

  it('if its class is only a guard', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate = () => true;

      @WatchKey('/a/')
      onEvent() {}
    }
    @Injectable()
    class Guarded {
      @UseGuards(Guard)
      @WatchKey('/b/')
      onEvent() {}
    }
    expect(await problemsWith(Guarded)).toEqual([
      'Guard.onEvent: can never run: Guard is only used as an enhancer: add it to the providers of a module',
    ]);
    expect(await problemsWith(Guarded, Guard)).toEqual([]);
  });
});

const METHOD: PropertyDescriptor = { value: () => undefined };
const GETTER: PropertyDescriptor = { get: () => undefined };

describe('a decorator on what cannot be a handler', () => {
  it.each([
    ['a method whose name is a symbol', Orders.prototype, Symbol('on'), METHOD, /are symbols/],
    ['a method of an object literal', {}, 'on', METHOD, /decorate an instance method/],
    ['a static method', Orders, 'on', METHOD, /decorate an instance method/],
    ['a getter', Orders.prototype, 'on', GETTER, /decorate an instance method/],
    ['a property', Orders.prototype, 'on', undefined, /decorate an instance method/],
  ])('throws: %s', (_, owner, name, descriptor, message) => {
    const decorate = (): void => {
      WatchKey('/a/')(owner, name, descriptor as TypedPropertyDescriptor<unknown>);
    };
    expect(decorate).toThrow(InvalidOptionsError);
    expect(decorate).toThrow(message);
  });
});

describe('a provider of unusual shape', () => {
  it('does not keep the application from starting', async () => {
    const trapped: object = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new TypeError('no prototype');
        },
      },
    );
    const values = [trapped, Object.create(null), () => undefined, 1, null, Symbol('value')] as const;
    const providers = values.map((value: unknown, index) => ({ provide: `VALUE-${index}`, useFactory: () => value }));
    const app = await started(Orders, ...providers);
    app.get(FakeCluster).put('/orders/1', 'x');
    await settled(app);

    expect(app.get(Orders).keys).toEqual(['/orders/1']);
    await app.close();
  });
});
