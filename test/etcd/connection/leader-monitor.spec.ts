import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LeaderAnswer, LeaderMonitor } from '../../../lib/etcd/connection/leader-monitor.js';

const until = (check: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (check()) resolve();
      else setImmediate(look);
    };
    look();
  });

/** A monitor of a member that gives these answers and then no more. */
function monitorOf(answers: readonly LeaderAnswer[]) {
  const requests: AbortSignal[] = [];
  const pauses: number[] = [];
  const monitor = new LeaderMonitor(
    (signal) => {
      const answer = answers[requests.length];
      requests.push(signal);
      return answer === undefined ? new Promise(() => undefined) : Promise.resolve(answer);
    },
    (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
  );
  return { monitor, requests, pauses };
}

/** Numbers of the answers after which the monitor reports the loss: each third "no leader" in a row. */
function expectedReports(answers: readonly LeaderAnswer[]): number[] {
  let leaderless = 0;
  return answers.flatMap((answer, index) => {
    leaderless = answer === 'no leader' ? leaderless + 1 : 0;
    return leaderless > 0 && leaderless % 3 === 0 ? [index + 1] : [];
  });
}

describe('LeaderMonitor', () => {
  it('reports the loss after each three answers in a row without a leader, and after nothing else', async () => {
    const answer = fc.constantFrom<LeaderAnswer>('leader', 'no leader', 'no leader', 'no leader', 'unknown');
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 12 }), async (answers) => {
        const { monitor, requests } = monitorOf(answers);
        const reports: number[] = [];
        const end = monitor.watch(() => reports.push(requests.length));
        await until(() => requests.length > answers.length);
        end();

        expect(reports).toEqual(expectedReports(answers));
      }),
    );
  });

  it('sends one request for all dependants, and reports to all of them', async () => {
    const { monitor, requests } = monitorOf(['no leader', 'no leader', 'no leader']);
    const reported: number[] = [];
    const ends = Array.from({ length: 1_000 }, (_, index) =>
      monitor.watch(() => {
        reported.push(index);
        ends[index]?.();
      }),
    );
    await until(() => reported.length > 0);

    expect(requests).toHaveLength(3);
    expect(reported).toEqual(ends.map((_, index) => index));
  });

  it('keeps apart dependants that pass the same function', async () => {
    const { monitor, requests } = monitorOf(['no leader', 'no leader', 'no leader']);
    let reports = 0;
    const onLeaderLost = (): void => {
      reports += 1;
    };
    const ends = [monitor.watch(onLeaderLost), monitor.watch(onLeaderLost)];
    ends[0]?.();
    await until(() => requests.length === 4);
    ends[1]?.();

    expect(reports).toBe(1);
  });

  it('asks more often after an answer without a leader, until the member has one or the loss is reported', async () => {
    const answers: LeaderAnswer[] = ['leader', 'no leader', 'leader', 'no leader', 'no leader', 'no leader', 'leader'];
    const { monitor, requests, pauses } = monitorOf(answers);
    const end = monitor.watch(() => undefined);
    await until(() => requests.length > answers.length);
    end();

    const [slow = 0, , fast = 0] = pauses;
    expect(fast).toBeLessThan(slow);
    expect(pauses).toEqual([slow, slow, fast, slow, fast, fast, slow, slow]);
  });

  it('ends with the last dependant, and aborts the request under way', async () => {
    const { monitor, requests } = monitorOf([]);
    const [endOne, endOther] = [monitor.watch(() => undefined), monitor.watch(() => undefined)];
    await until(() => requests.length === 1);
    endOne();
    const wasAborted = requests[0]?.aborted;
    endOther();

    expect([wasAborted, requests[0]?.aborted]).toEqual([false, true]);
    monitor.watch(() => undefined)();
    await new Promise(setImmediate);
    expect(requests).toHaveLength(1);
  });

  it('begins again with the next dependant', async () => {
    const { monitor, requests } = monitorOf(['leader']);
    monitor.watch(() => undefined)();
    const end = monitor.watch(() => undefined);
    await until(() => requests.length === 2);
    end();

    expect(requests.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});
