import { describe, expect, it } from 'vitest';
import { dueTicks, planCalls } from '../../lib/coordination/cron-plan.js';
import { CronSchedule } from '../../lib/coordination/cron-schedule.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = (text: string): number => Date.parse(text);

const ticksOf = (expression: string, timeZone: string, after: string, until: string): string[] => {
  const schedule = new CronSchedule(expression, timeZone);
  return dueTicks((time) => schedule.next(time), at(after), at(until)).map((tick) => new Date(tick).toISOString());
};

describe('the due ticks of a schedule', () => {
  it('are those after the last one, up to and including now', () => {
    expect(ticksOf('0 * * * *', 'UTC', '2026-01-01T10:00:00Z', '2026-01-01T12:00:00Z')).toEqual([
      '2026-01-01T11:00:00.000Z',
      '2026-01-01T12:00:00.000Z',
    ]);
    expect(ticksOf('0 * * * *', 'UTC', '2026-01-01T10:00:00Z', '2026-01-01T10:59:59.999Z')).toEqual([]);
  });

  it('of a time that the clocks skip in spring are due at the end of the gap', () => {
    expect(ticksOf('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z')).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    expect(ticksOf('0 2 * * *', 'America/New_York', '2026-03-07T12:00:00Z', '2026-03-09T12:00:00Z')).toEqual([
      '2026-03-08T07:00:00.000Z',
      '2026-03-09T06:00:00.000Z',
    ]);
  });

  it('follow each other across the gap in spring without a pause', () => {
    expect(ticksOf('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', '2026-03-29T02:00:00Z')).toEqual([
      '2026-03-29T00:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-29T01:30:00.000Z',
      '2026-03-29T02:00:00.000Z',
    ]);
  });

  it('fall into both of the hours that the clocks repeat in autumn', () => {
    expect(ticksOf('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:30:00Z', '2026-10-25T02:00:00Z')).toEqual([
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ]);
  });

  it('of a daily time that the clocks repeat are one', () => {
    expect(ticksOf('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC'])(
    'ascend in %s on all days with a change of the clocks, whatever the time to begin with',
    (timeZone) => {
      for (const expression of ['30 2 * * *', '45 1 * * *']) {
        const schedule = new CronSchedule(expression, timeZone);
        for (const day of ['2026-03-08', '2026-04-04', '2026-10-03', '2026-10-25', '2026-11-01']) {
          for (let after = at(day); after < at(day) + DAY; after += HOUR) {
            expect(schedule.next(after)).toBeGreaterThan(after);
          }
        }
      }
    },
  );

  it('are the newest ones of a long time, and most of the others are not visited', () => {
    let visits = 0;
    const next = (after: number): number => {
      visits += 1;
      return (Math.floor(after / 1_000) + 1) * 1_000;
    };
    const now = at('2026-01-01T00:00:00Z');
    const due = dueTicks(next, now - 365 * DAY, now);

    expect(due).toEqual(Array.from({ length: 101 }, (_, index) => now - (100 - index) * 1_000));
    expect(visits).toBeLessThan(5_000);
  });

  it('are found in dense bursts with long gaps, too', () => {
    const burst = 1_000 * 1_000;
    const next = (after: number): number => {
      const tick = (Math.floor(after / 1_000) + 1) * 1_000;
      return tick % DAY < burst ? tick : (Math.floor(tick / DAY) + 1) * DAY;
    };
    const now = at('2026-01-01T12:00:00Z');
    const due = dueTicks(next, now - 10 * DAY, now);

    const last = at('2026-01-01T00:00:00Z') + burst - 1_000;
    expect(due).toEqual(Array.from({ length: 101 }, (_, index) => last - (100 - index) * 1_000));
  });

  it('are none if the schedule has ended', () => {
    expect(dueTicks(() => undefined, 0, DAY)).toEqual([]);
  });
});

describe('the plan for due ticks', () => {
  const due = [1, 2, 3].map((day) => day * DAY);
  const onTime = 3 * DAY + MINUTE;
  const late = onTime + 1;
  const times = (missed: 'skip' | 'once' | 'all', now: number, ticks = due) =>
    planCalls(ticks, now, { missed, graceMs: MINUTE });
  const call = (scheduledAt: number, missed: number[] = [], expiresAt?: number) => ({ scheduledAt, missed, expiresAt });

  it('starts the newest tick up to the end of its grace', () => {
    expect(times('skip', onTime)).toEqual({ calls: [call(3 * DAY, [], 3 * DAY + MINUTE)], missed: 2 });
    expect(times('once', onTime)).toEqual({ calls: [call(3 * DAY, [DAY, 2 * DAY])], missed: 2 });
    expect(times('all', onTime)).toEqual({ calls: [call(DAY), call(2 * DAY), call(3 * DAY)], missed: 2 });
  });

  it('treats the newest tick as missed after its grace', () => {
    expect(times('skip', late)).toEqual({ calls: [], missed: 3 });
    expect(times('once', late)).toEqual({ calls: [call(3 * DAY, [DAY, 2 * DAY])], missed: 3 });
    expect(times('all', late)).toEqual({ calls: [call(DAY), call(2 * DAY), call(3 * DAY)], missed: 3 });
  });

  it('has at most the newest 100 missed ticks', () => {
    const many = Array.from({ length: 101 }, (_, index) => index * DAY);
    expect(times('once', 100 * DAY, many).calls).toEqual([call(100 * DAY, many.slice(0, 100))]);
    expect(times('all', 100 * DAY, many).calls.length).toBe(101);
    expect(times('all', 101 * DAY, many).calls.map(({ scheduledAt }) => scheduledAt)).toEqual(many.slice(1));
  });

  it('is empty without due ticks', () => {
    expect(times('once', 0, [])).toEqual({ calls: [], missed: 0 });
  });
});

describe('a schedule', () => {
  it.each([
    ['61 * * * *', undefined, /"61 \* \* \* \*" is not a cron expression/],
    ['every day', undefined, /"every day" is not a cron expression/],
    ['* * * * *', 'Mars/Olympus', /"timeZone" must be the name of a time zone such as 'Europe\/Berlin', not "Mars/],
  ])('refuses %s in %s', (expression, timeZone, message) => {
    expect(() => new CronSchedule(expression, timeZone)).toThrow(message);
  });

  it('has no next tick on a day that does not exist', () => {
    expect(new CronSchedule('0 0 30 2 *', 'UTC').next(at('2026-01-01T00:00:00Z'))).toBe(undefined);
  });

  it('names the package that is missing', () => {
    const load = (): never => {
      throw new Error('Cannot find module');
    };
    expect(() => new CronSchedule('* * * * *', 'UTC', load)).toThrow(
      '@ClusterCron needs the package "cron": npm install cron',
    );
  });
});
