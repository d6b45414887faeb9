import type { CanActivate } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EtcdTriggerConsoleModule } from 'nestjs-etcd-trigger/console';
import { describe, expect, it } from 'vitest';
import { quiet } from '../support/quiet-logger.js';

class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

const messageOf = (options: unknown, method: 'forRoot' | 'forRootAsync' = 'forRoot'): string => {
  try {
    EtcdTriggerConsoleModule[method](options as never);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the options of the console', () => {
  it('need guards, unless the lack of protection is written out', () => {
    const sentence =
      'EtcdTriggerConsoleModule.forRoot needs "guards", because the console shows and changes the configuration: give guards: [AdminGuard], or unprotected: true to let everybody in';
    expect(messageOf({})).toBe(sentence);
    expect(messageOf({ guards: [] })).toBe(sentence);
    expect(messageOf({ guards: undefined, unprotected: false })).toBe(sentence);
    expect(messageOf({ useFactory: () => ({}) }, 'forRootAsync')).toContain('forRootAsync needs "guards"');
    expect(messageOf({ guards: [Guard] })).toBe('accepted');
    expect(messageOf({ guards: [new Guard()] })).toBe('accepted');
    expect(messageOf({ unprotected: true })).toBe('accepted');
  });

  it.each([
    [undefined, 'EtcdTriggerConsoleModule.forRoot needs an options object'],
    [{ guard: [Guard] }, '"guard" of EtcdTriggerConsoleModule.forRoot is not an option: did you mean "guards"?'],
    [
      { guards: [undefined] },
      '"guards[0]" of EtcdTriggerConsoleModule.forRoot must be a guard: a class with the method canActivate, or an instance of one',
    ],
    [{ guards: Guard }, '"guards" of EtcdTriggerConsoleModule.forRoot must be an array of guards'],
    [{ guards: [Guard], write: 'yes' }, '"write" must be true or false'],
    [{ guards: [Guard], unprotected: 1 }, '"unprotected" must be true or false'],
    [{ guards: [Guard], author: 'ada' }, '"author" of EtcdTriggerConsoleModule must be a function'],
    [
      { guards: [Guard], path: '/:id/*' },
      '"path" of EtcdTriggerConsoleModule must be a path of letters, digits, "-", "_" and "~", such as "/admin/etcd", not "/:id/*"',
    ],
  ])('are refused: %j', (options, message) => {
    expect(messageOf(options)).toBe(message);
  });

  it('need the module that they show', async () => {
    const module = await Test.createTestingModule({ imports: [EtcdTriggerConsoleModule.forRoot({ guards: [Guard] })] })
      .setLogger(quiet)
      .compile();

    await expect(module.createNestApplication().init()).rejects.toThrow(
      'the application has none: import EtcdTriggerModule.forRoot()',
    );
  });

  it('may come from a factory, which is checked as well', async () => {
    const imports = [
      EtcdTriggerConsoleModule.forRootAsync({ guards: [Guard], useFactory: () => ({ write: 1 }) as never }),
    ];

    await expect(Test.createTestingModule({ imports }).setLogger(quiet).compile()).rejects.toThrow(
      '"write" must be true or false',
    );
  });
});
