import {
  Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  type ServerErrorResponse,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lacksLeader, LeaderMonitor } from '../../../lib/etcd/connection/leader-monitor.js';

type Answer = 'a leader' | 'no leader' | 'nothing';

const until = (check: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (check()) resolve();
      else setImmediate(look);
    };
    look();
  });
const never = <T>(): Promise<T> => new Promise(() => undefined);
const atOnce = (): Promise<void> => Promise.resolve();

/** A member that gives these answers and then no more. */
function member(answers: readonly Answer[]) {
  const questions: AbortSignal[] = [];
  const watch = new LeaderMonitor((signal) => {
    const answer = answers[questions.length];
    questions.push(signal);
    if (answer === 'nothing') return Promise.reject(new Error('no answer in time'));
    return answer === undefined ? never() : Promise.resolve(answer === 'no leader');
  }, atOnce);
  return { watch, questions };
}

describe('a member that serves streams', () => {
  it('is left when it has said three times in a row that it has no leader, not before and for nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Answer>('a leader', 'no leader', 'no leader', 'nothing'), { maxLength: 12 }),
        async (answers) => {
          const { watch, questions } = member(answers);
          let leftAfter: number | undefined;
          const gone = watch.serves(() => {
            leftAfter = questions.length;
            gone();
          });
          await until(() => leftAfter !== undefined || questions.length > answers.length);
          gone();

          const third = answers.findIndex((_, index) =>
            [index - 2, index - 1, index].every((at) => answers[at] === 'no leader'),
          );
          expect(leftAfter).toBe(third === -1 ? undefined : third + 1);
        },
      ),
    );
  });

  it('is asked one question for all of them, and left with all of them', async () => {
    const { watch, questions } = member(['no leader', 'no leader', 'no leader']);
    const left: number[] = [];
    const streams = Array.from({ length: 1_000 }, (_, index) =>
      watch.serves(() => {
        left.push(index);
        streams[index]?.();
      }),
    );
    await until(() => left.length > 0);

    expect(questions).toHaveLength(3);
    expect(left).toEqual(streams.map((_, index) => index));
  });

  it('is asked more often from its first no on, until it has a leader again', async () => {
    const answers: Answer[] = ['a leader', 'no leader', 'a leader', 'no leader', 'no leader', 'no leader'];
    const pauses: number[] = [];
    let isLeft = false;
    const watch = new LeaderMonitor(
      () => Promise.resolve(answers[pauses.length - 1] === 'no leader'),
      (ms) => {
        pauses.push(ms);
        return atOnce();
      },
    );
    const gone = watch.serves(() => {
      isLeft = true;
    });
    await until(() => isLeft);
    gone();

    const [slow = 0, , fast = 0] = pauses;
    expect(fast).toBeLessThan(slow);
    expect(pauses).toEqual([slow, slow, fast, slow, fast, fast]);
  });

  it('is asked nothing any more when the last one has ended, and the question under way is given up', async () => {
    const { watch, questions } = member([]);
    const [one, other] = [watch.serves(() => undefined), watch.serves(() => undefined)];
    await until(() => questions.length === 1);
    one();
    const wasGivenUp = questions[0]?.aborted;
    other();

    expect([wasGivenUp, questions[0]?.aborted]).toEqual([false, true]);
    watch.serves(() => undefined)();
    await new Promise(setImmediate);
    expect(questions).toHaveLength(1);
  });

  it('is asked again when another one begins', async () => {
    const { watch, questions } = member(['a leader']);
    watch.serves(() => undefined)();
    const gone = watch.serves(() => undefined);
    await until(() => questions.length === 2);
    gone();

    expect(questions.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

/** A server, or what stands before it, that answers the question so. */
async function asked(answer: Partial<ServerErrorResponse> | null): Promise<{ said: boolean; metadata: Metadata[] }> {
  const metadata: Metadata[] = [];
  const server = new Server();
  const bytes = (buffer: Buffer): Buffer => buffer;
  const Status: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    metadata.push(call.metadata);
    reply(answer, Buffer.alloc(0));
  };
  server.addService(
    {
      Status: {
        path: '/etcdserverpb.Maintenance/Status',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    { Status },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const said = await lacksLeader(client, new Metadata(), new AbortController().signal);
  client.close();
  server.forceShutdown();
  return { said, metadata };
}

describe('the question for the leader', () => {
  it.each([
    ['etcd has none', { code: status.UNAVAILABLE, details: 'etcdserver: no leader' }, true],
    ['etcd has one', null, false],
    ['a newer etcd wants a permission', { code: status.PERMISSION_DENIED, details: 'permission denied' }, false],
    ['a proxy does not know the method', { code: status.UNIMPLEMENTED, details: 'unknown' }, false],
    ['a proxy does not reach etcd', { code: status.UNAVAILABLE, details: 'no healthy upstream' }, false],
  ])('is answered with no only by etcd itself: %s', async (_, answer, isNo) => {
    const { said, metadata } = await asked(answer);

    expect(said).toBe(isNo);
    expect(metadata.map((each) => [each.get('hasleader'), each.get('token')])).toEqual([[['true'], []]]);
  });
});
