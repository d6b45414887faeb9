import { hostname } from 'node:os';
import {
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import {
  ClusterCron,
  type ClusterCronTick,
  type CronDescription,
  Event,
  EtcdTriggerContext,
  EtcdTriggerInspector,
  InvalidOptionsError,
  Payload,
  Signal,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Deferred } from '../../lib/timing/deferred.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp, type StartedApp } from '../support/start-app.js';

const lines: string[] = [];

async function start(job: Type, fake = new FakeCluster(), logger?: CollectingLogger) {
  lines.length = 0;
  const app = await startApp(
    {
      hosts: '',
      client: fake,
      coordination: { prefix: '/co' },
      shutdown: { drainTimeoutMs: 300 },
      ...(logger && { logger }),
    },
    { providers: [job] },
  );
  await settled(fake);
  const tick = async (ms = 60_000): Promise<void> => {
    fake.advance(ms);
    await settled(fake);
  };
  return { ...app, fake, tick };
}

const jobOf = ({ app }: Pick<StartedApp, 'app'>): CronDescription | undefined =>
  app.get(EtcdTriggerInspector).describe().clusters[0]?.crons[0];

@Injectable()
class Minutely {
  @ClusterCron('* * * * *', { name: 'job' })
  run({ scheduledAt, missed }: ClusterCronTick): void {
    lines.push(`${scheduledAt.toISOString()} ${missed.length}`);
  }
}

describe('a @ClusterCron method', () => {
  it('is called by the clock of the fake', async () => {
    await using app = await start(Minutely);
    await app.tick();
    await app.tick(59_000);
    await app.tick(1_000);
    await app.tick(180_000);

    expect(lines).toEqual(['2000-01-01T00:01:00.000Z 0', '2000-01-01T00:02:00.000Z 0', '2000-01-01T00:05:00.000Z 2']);
    expect(jobOf(app)).toEqual({
      name: 'job',
      method: 'Minutely.run',
      expression: '* * * * *',
      state: 'owner',
      owner: { instance: expect.any(String) as string, pod: hostname(), token: expect.any(Number) as number },
      lastTick: '2000-01-01T00:05:00.000Z',
      nextTick: '2000-01-01T00:06:00.000Z',
      running: false,
      started: 3,
      missed: 2,
      skipped: 0,
      failed: 0,
    });
  });

  it('continues after the last tick under another expression', async () => {
    const fake = new FakeCluster();
    const first = await start(Minutely, fake);
    await first.tick();
    await first[Symbol.asyncDispose]();
    @Injectable()
    class Other {
      @ClusterCron('*/2 * * * *', { name: 'job' })
      run({ scheduledAt, missed }: ClusterCronTick): void {
        lines.push(`${scheduledAt.toISOString()} ${missed.length}`);
      }
    }
    fake.advance(300_000);
    await using second = await start(Other, fake);

    expect(lines).toEqual(['2000-01-01T00:06:00.000Z 2']);
    expect(jobOf(second)?.expression).toBe('*/2 * * * *');
  });

  it('is called with the ticks in their order when several wait for a call', async () => {
    @Injectable()
    class Slow {
      end: Promise<unknown> | undefined;

      @ClusterCron('* * * * *', { name: 'job', missed: 'all', overlap: 'wait' })
      async run({ scheduledAt }: ClusterCronTick): Promise<void> {
        lines.push(scheduledAt.toISOString().slice(11, 16));
        await this.end;
      }
    }
    await using app = await start(Slow);
    const job = app.app.get(Slow);
    const end = new Deferred();
    job.end = end.promise;
    app.fake.advance(180_000);
    await eventually(() => lines.length === 1);
    app.fake.advance(120_000);
    await eventually(() => jobOf(app)?.skipped === 1);
    end.resolve();
    await settled(app.fake);

    expect(lines).toEqual(['00:01', '00:02', '00:03', '00:05']);
    expect(jobOf(app)).toMatchObject({ started: 4, missed: 2, skipped: 1, lastTick: '2000-01-01T00:05:00.000Z' });
  });

  it('is not called while etcd is away, and makes up for the ticks afterwards', async () => {
    await using app = await start(Minutely);
    app.fake.disconnect();
    await app.tick(180_000);
    expect(lines).toEqual([]);
    app.fake.reconnect();
    await eventually(() => lines.length === 1);

    expect(lines).toEqual(['2000-01-01T00:03:00.000Z 2']);
  });

  it.each([
    { missed: 'all', calls: ['01 0', '02 0', '03 0', '04 0', '05 0'] },
    { missed: 'once', calls: ['01 0', '05 3'] },
    { missed: 'skip', calls: ['01 0', '05 0'] },
  ] as const)(
    'makes up for the ticks of an outage that its lease outlives: $missed',
    async ({ missed: policy, calls }) => {
      const fake = new FakeCluster();
      lines.length = 0;
      @Injectable()
      class EverySecond {
        @ClusterCron('* * * * * *', { name: 'job', missed: policy })
        run({ scheduledAt, missed }: ClusterCronTick): void {
          lines.push(`${scheduledAt.toISOString().slice(17, 19)} ${missed.length}`);
        }
      }
      const coordination = { prefix: '/co', ttlSeconds: 60 };
      await using app = await startApp({ hosts: '', client: fake, coordination }, { providers: [EverySecond] });
      await settled(fake);
      fake.disconnect();
      for (let second = 1; second <= 5; second += 1) {
        fake.advance(1_000);
        await new Promise(setImmediate);
      }
      fake.reconnect();
      await settled(fake);
      expect(lines).toEqual(calls);
      expect(jobOf(app)).toMatchObject({ skipped: 0 });
    },
  );

  it('counts no tick as missed that another instance has started meanwhile', async () => {
    await using app = await start(Minutely);
    await app.tick();
    const last = '/co/v1/crons/job/last';
    // This instance has not seen it yet when the ticks are due.
    app.fake.put(last, { v: 1, scheduledAt: '2000-01-01T00:04:00.000Z', by: 'other/1' });
    await app.tick(180_000);
    expect(lines).toEqual(['2000-01-01T00:01:00.000Z 0']);
    expect(jobOf(app)).toMatchObject({ missed: 0 });
  });

  it('is not called a second time for a tick when it rejects, and the log has no message of the error', async () => {
    @Injectable()
    class Failing {
      @ClusterCron('* * * * *', { name: 'job' })
      run(): void {
        lines.push('called');
        throw new TypeError('4711');
      }
    }
    const logger = new CollectingLogger();
    await using app = await start(Failing, new FakeCluster(), logger);
    await app.tick();
    await app.tick(30_000);

    expect([lines, jobOf(app)?.failed, jobOf(app)?.started]).toEqual([['called'], 1, 1]);
    expect(JSON.stringify(logger)).toContain('Failing.run failed at a tick of \\"job\\": TypeError');
    expect(JSON.stringify(logger)).not.toContain('4711');
  });

  it('runs with guards, filters and decorated parameters', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { tick, handler } = EtcdTriggerContext.of(context);
        lines.push(`guard of ${handler}`);
        return tick?.scheduledAt.getUTCMinutes() !== 2;
      }
    }
    @Catch(RangeError)
    class Filter implements ExceptionFilter {
      catch(): void {
        lines.push('caught');
      }
    }
    @Injectable()
    class Enhanced {
      @UseGuards(Guard)
      @UseFilters(Filter)
      @ClusterCron('* * * * *', { name: 'job' })
      run(@Signal() signal: AbortSignal, @Payload() { scheduledAt }: ClusterCronTick): void {
        lines.push(`${scheduledAt.getUTCMinutes()} ${signal.aborted}`);
        throw new RangeError();
      }
    }
    await using app = await start(Enhanced);
    await app.tick();
    await app.tick();

    expect(lines).toEqual(['guard of Enhanced.run', '1 false', 'caught', 'guard of Enhanced.run']);
    expect(jobOf(app)).toMatchObject({ started: 2, failed: 1 });
  });

  it('runs with pipes and interceptors, and with global enhancers if the options ask for them', async () => {
    @Injectable()
    class Minute implements PipeTransform<ClusterCronTick, number> {
      transform({ scheduledAt }: ClusterCronTick): number {
        return scheduledAt.getUTCMinutes();
      }
    }
    const around = (name: string): NestInterceptor => ({
      intercept: (context, next) => {
        const { tick, handler } = EtcdTriggerContext.of(context);
        lines.push(`${name} before ${handler} at ${tick?.scheduledAt.getUTCMinutes() ?? -1}`);
        return next.handle().pipe(tap((result) => lines.push(`${name} after ${String(result)}`)));
      },
    });
    @Injectable()
    class Piped {
      @UseInterceptors(around('own'))
      @ClusterCron('* * * * *', { name: 'job' })
      run(@Payload(Minute) minute: number): number {
        return minute * 10;
      }
    }
    const globalInterceptor = { provide: APP_INTERCEPTOR, useValue: around('global') };
    for (const useGlobalEnhancers of [false, true]) {
      lines.length = 0;
      const fake = new FakeCluster();
      await using app = await startApp(
        { hosts: '', client: fake, coordination: { prefix: '/co' }, handlers: { useGlobalEnhancers } },
        { providers: [Piped, globalInterceptor] },
      );
      await settled(fake);
      fake.advance(60_000);
      await settled(fake);

      expect(jobOf(app)).toMatchObject({ started: 1, failed: 0 });
      const own = ['own before Piped.run at 1', 'own after 10'];
      const all = ['global before Piped.run at 1', ...own, 'global after 10'];
      expect(lines).toEqual(useGlobalEnhancers ? all : own);
    }
  });

  it('may be a @WatchKey method without decorated parameters, with a guard for both', async () => {
    @Injectable()
    class Guard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { tick, args } = EtcdTriggerContext.of(context);
        lines.push(`guard of ${tick ? 'a tick' : String(args[0])}`);
        return true;
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Both {
      @UseGuards(Guard)
      @WatchKey('/app/')
      @ClusterCron('* * * * *', { name: 'job' })
      run(subject: ClusterCronTick | WatchEvent): void {
        lines.push('key' in subject ? subject.key : subject.scheduledAt.toISOString());
      }
    }
    await using app = await start(Both);
    app.fake.put('/app/a', 'x');
    await settled(app.fake);
    await app.tick();

    expect(lines).toEqual(['guard of x', '/app/a', 'guard of a tick', '2000-01-01T00:01:00.000Z']);
  });

  it('has a new instance for each tick if its class is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(REQUEST) readonly tick: ClusterCronTick) {
        lines.push('created');
      }
      @ClusterCron('* * * * *', { name: 'job' })
      run(tick: ClusterCronTick): void {
        lines.push(String(tick === this.tick));
      }
    }
    await using app = await start(Scoped);
    await app.tick();
    await app.tick();

    expect(lines).toEqual(['created', 'true', 'created', 'true']);
  });

  it('may be a @WatchKey method, too', async () => {
    @Injectable()
    class Both {
      @WatchKey('/app/')
      @ClusterCron('* * * * *', { name: 'job' })
      run(@Payload() payload: unknown, @Event() event?: WatchEvent): void {
        lines.push(`${event ? event.key : 'tick'} ${Buffer.isBuffer(payload)}`);
      }
    }
    await using app = await start(Both);
    app.fake.put('/app/a', 'x');
    await app.tick();

    expect(lines.sort()).toEqual(['/app/a true', 'tick false']);
  });

  it('may finish with fenced writes at shutdown, and its key is deleted then', async () => {
    @Injectable()
    class Slow {
      @ClusterCron('* * * * *', { name: 'job' })
      async run({ signal, fence }: ClusterCronTick): Promise<void> {
        lines.push('started');
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        lines.push(`held=${fence.held}`);
        signal.throwIfAborted();
      }
    }
    const app = await start(Slow);
    app.fake.advance(60_000);
    await eventually(() => lines.length === 1);
    expect(app.fake.keys()).toContain('/co/v1/crons/job/owner');
    await app[Symbol.asyncDispose]();

    expect(lines).toEqual(['started', 'held=true']);
    expect(app.fake.keys()).toEqual(['/co/v1/crons/job/last']);
  });

  it('keeps its job until the lease expires if it ignores its signal at shutdown', async () => {
    @Injectable()
    class Stuck {
      @ClusterCron('* * * * *', { name: 'job' })
      async run(): Promise<void> {
        lines.push('started');
        await new Promise(() => undefined);
      }
    }
    const app = await start(Stuck);
    app.fake.advance(60_000);
    await eventually(() => lines.length === 1);
    await app[Symbol.asyncDispose]();

    expect(app.fake.keys()).toContain('/co/v1/crons/job/owner');
    app.fake.advance(15_000);
    expect(app.fake.keys()).toEqual(['/co/v1/crons/job/last']);
  });
});

describe('an application with a job that can never run', () => {
  const refusal = (expression: string, options: Parameters<typeof ClusterCron>[1], coordination = true) => {
    @Injectable()
    class Refused {
      @ClusterCron(expression, options)
      run(): void {
        // Never called.
      }
    }
    const started = startApp(
      { hosts: '', client: new FakeCluster(), ...(coordination && { coordination: { prefix: '/co' } }) },
      { providers: [Refused] },
    );
    return started.then(
      (app) => app[Symbol.asyncDispose](),
      (error: unknown) => String(error),
    );
  };

  it.each([
    ['61 * * * *', { name: 'job' }, /Refused.run: "61 \* \* \* \*" is not a cron expression such as/],
    ['* * * * *', { name: 'job', timeZone: 'Mars/X' }, /Refused.run: "timeZone" must be the name of a time zone/],
    ['0 0 30 2 *', { name: 'job' }, /Refused.run: "0 0 30 2 \*" has no tick in the next years/],
    ['* * * * *', { name: 'a/b' }, /Refused.run: "name" must be 1 to 128 of the characters/],
    ['* * * * *', { name: 'job', graceMs: -1 }, /Refused.run: "graceMs" must be a number of milliseconds/],
    ['* * * * *', { name: 'job', missed: 'never' as 'skip' }, /Refused.run: "missed" must be one of/],
    ['* * * * *', { name: 'job', overlap: 'both' as 'skip' }, /Refused.run: "overlap" must be one of/],
    ['* * * * *', { name: 'job', cluster: 'other' }, /Refused.run: there is no cluster "other"/],
  ] as const)('does not start: %s %j', async (expression, options, message) => {
    expect(await refusal(expression, options)).toMatch(message);
  });

  it('does not start without the option "coordination"', async () => {
    expect(await refusal('* * * * *', { name: 'job' }, false)).toMatch(/@ClusterCron needs the option "coordination"/);
  });

  it('does not start if two methods use one name, or a parameter has no value at a tick', async () => {
    @Injectable()
    class Twice {
      @ClusterCron('* * * * *', { name: 'job' })
      first(): void {
        // Never called.
      }
      @ClusterCron('* * * * *', { name: 'job' })
      second(): void {
        // Never called.
      }
      @ClusterCron('* * * * *', { name: 'event' })
      third(@Event() event: unknown): void {
        lines.push(String(event));
      }
    }
    const failure = await start(Twice).catch((error: unknown) => String(error));
    expect(failure).toMatch(/Twice.second: the name "job" is already used by Twice.first: use another name/);
    expect(failure).toMatch(/Twice.third: a tick has no @Event\(\): use @Payload\(\) \(the tick\) and @Signal\(\)/);
  });

  it('cannot decorate a static method', () => {
    expect(() => {
      ClusterCron('* * * * *', { name: 'job' })(Minutely, 'name', { value: () => undefined });
    }).toThrow(InvalidOptionsError);
  });
});
