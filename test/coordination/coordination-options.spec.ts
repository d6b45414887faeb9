import { Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  type Election,
  type EtcdTriggerOptions,
  InjectElection,
  OnElected,
  OnLeadershipLost,
} from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { resolveCoordination } from '../../lib/coordination/coordination-options.js';
import { startApp } from '../support/start-app.js';

class Count {
  @IsInt() count!: number;
}

@Injectable()
class Elected {
  @OnElected('options')
  run(): void {
    // Never called.
  }
}
@Injectable()
class Lost {
  @OnLeadershipLost('options')
  lost(): void {
    // Never called.
  }
}
@Injectable()
class Injected {
  constructor(@InjectElection('options') readonly election: Election) {}
}
@Injectable()
class Misnamed {
  @OnElected('not/a/name')
  run(): void {
    // Never called.
  }
}
@Injectable()
class Elsewhere {
  @OnElected('options', { cluster: 'elsewhere' })
  run(): void {
    // Never called.
  }
}

const start = (options: Partial<EtcdTriggerOptions>, ...providers: (typeof Elected)[]) =>
  startApp({ hosts: '', client: new FakeCluster(), ...options }, { providers });

describe('the options of the coordination', () => {
  it('have defaults', () => {
    expect(resolveCoordination({ prefix: '/co/' })).toEqual({
      prefix: '/co',
      ttlSeconds: 15,
      marginMs: undefined,
      settleMs: 5_000,
    });
  });

  it.each([
    [{}, '"coordination.prefix" must be a prefix for the coordination only, such as "/coordination/my-app"'],
    [{ prefix: '/' }, '"coordination.prefix" must be a prefix'],
    [{ prefix: '/co', ttlSeconds: 4 }, '"coordination.ttlSeconds" must be an integer from 5 to 300'],
    [{ prefix: '/co', ttlSeconds: 301 }, '"coordination.ttlSeconds" must be an integer from 5 to 300'],
    [{ prefix: '/co', ttlSeconds: 10, marginMs: 5_000 }, '"coordination.marginMs" must be below half'],
    [{ prefix: '/co', marginMs: -1 }, '"coordination.marginMs" must be a number of milliseconds'],
    ['/co', '"coordination" must be an object'],
  ])('are checked: %j', (given, message) => {
    expect(() => resolveCoordination(given)).toThrow(message);
  });

  it.each([Elected, Lost, Injected] as (typeof Elected)[])(
    'are required by whatever coordinates, and the error shows the line to add: %o',
    async (provider) => {
      await expect(start({}, provider)).rejects.toThrow(
        /needs the option "coordination" of the cluster "default": add coordination: \{ prefix: '\/coordination\/my-app' \}/,
      );
    },
  );

  it.each([
    [Misnamed, /Misnamed.run: the name of an election must be 1 to 128 of the characters/],
    [Elsewhere, /Elsewhere.run: there is no cluster "elsewhere"/],
  ])('stop the start for an election that cannot take place: %o', async (provider, message) => {
    await expect(start({ coordination: { prefix: '/co' } }, provider)).rejects.toThrow(message);
  });

  it.each([{ key: '/co/v1/x' }, { prefix: '/co/' }, { prefix: '/' }, { prefix: '/co/v1/elections/' }])(
    'refuse a definition that overlaps the prefix: %j',
    async (target) => {
      const configs = [{ ...target, type: Count }];
      await expect(start({ configs, coordination: { prefix: '/co' } })).rejects.toThrow(
        /of a definition overlaps "coordination.prefix"/,
      );
    },
  );

  it('accept a definition beside the prefix, and refuse markers that overlap it', async () => {
    const configs = [{ prefix: '/co2/', type: Count }];
    await using app = await start({ configs, coordination: { prefix: '/co' } });
    expect(app.store.status).toBe('ready');
    const overlapping = { outcomes: { prefix: '/co/markers' }, coordination: { prefix: '/co' } };
    await expect(start(overlapping)).rejects.toThrow(/"outcomes.prefix" and "coordination.prefix" overlap/);
  });
});
