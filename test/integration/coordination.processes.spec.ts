import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { FixtureProcess } from '../support/fixture-process.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

class Candidate extends FixtureProcess {
  /** The tokens of its terms. */
  get tokens(): number[] {
    return this.numbers('acquired').flatMap(([token = 0]) => token);
  }
}

describe('the leadership of a process', () => {
  const etcd = ownEtcd();

  /** Collects the tokens of all applied writes, in the order of etcd's revisions. */
  const observe = async () => {
    const app = await startApp({ hosts: etcd.hosts });
    const tokens: number[] = [];
    await app.watcher.watch({ key: '/effects' }, ({ value }) => {
      tokens.push(Number(value));
    });
    return { tokens, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
  };
  const start = async (): Promise<Candidate> => {
    const candidate = new Candidate('election.mjs', etcd.hosts.join(), 'pod');
    await eventually(() => candidate.output.includes('ready'));
    return candidate;
  };
  const ascending = (tokens: readonly number[]): number[] => [...tokens].sort((a, b) => a - b);

  it('goes to another one when it is killed, and each write has the token of its leader', async () => {
    await using effects = await observe();
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    await first.end('SIGKILL');
    await eventually(() => second.tokens.length === 1);
    const [token = 0] = second.tokens;
    await eventually(() => effects.tokens.includes(token));

    expect(effects.tokens).toEqual(ascending(effects.tokens));
    expect(new Set(effects.tokens)).toEqual(new Set([...first.tokens, ...second.tokens]));
  });

  it('is not held by a process that continues after the lease has expired, and its writes are refused', async () => {
    await using effects = await observe();
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    first.signal('SIGSTOP');
    await eventually(() => second.tokens.length === 1);
    first.signal('SIGCONT');
    const [token = 0] = first.tokens;
    await eventually(() => first.output.includes(`refused ${token} ETCD_FENCE_LOST held=false`));
    const written = effects.tokens.length;
    await eventually(() => effects.tokens.length > written + 3);

    expect(first.output).toContain(`continued ${token} held=false`);
    expect(effects.tokens).toEqual(ascending(effects.tokens));
    expect([first.tokens.length, second.tokens.length]).toEqual([1, 1]);
  });

  it('goes to another one at once when it stops in an orderly way', async () => {
    await using first = await start();
    await eventually(() => first.tokens.length === 1);
    await using second = await start();
    const stopping = first.end('SIGTERM');
    await eventually(() => second.tokens.length === 1);
    await stopping;
    expect(first.numbers('ended').flat()).toEqual(first.tokens);
    expect(first.output).not.toContain('refused');
  });
});
