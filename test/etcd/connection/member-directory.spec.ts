import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HostResolver } from '../../../lib/etcd/connection/host-resolver.js';
import { parseHosts } from '../../../lib/etcd/connection/hosts.js';
import { MemberDirectory } from '../../../lib/etcd/connection/member-directory.js';

/** A directory of `quick` and of `slow`, whose look-up the test answers. */
function directory() {
  let resolve!: (addresses: readonly string[]) => void;
  let reject!: (error: Error) => void;
  const slow = new Promise<readonly string[]>((...functions) => {
    [resolve, reject] = functions;
  });
  const resolver = new HostResolver((name) => (name === 'slow' ? slow : Promise.resolve(['10.0.0.1'])));
  return { members: new MemberDirectory(parseHosts('quick:2379,slow:2379'), resolver), resolve, reject };
}

describe('MemberDirectory', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('returns one member per address, those that were avoided last', async () => {
    const resolver = new HostResolver(() => Promise.resolve(['10.0.0.1', '10.0.0.2', '10.0.0.3']));
    const members = new MemberDirectory(parseHosts('etcd:2379'), resolver);
    const [first, second] = (await members.list()).members;
    await vi.advanceTimersByTimeAsync(1);
    first?.avoid();
    await vi.advanceTimersByTimeAsync(1);
    second?.avoid();
    const again = (await members.list()).members;

    expect(again).toHaveLength(3);
    expect(again.slice(1)).toEqual([first, second]);
  });

  it('does not wait for a slow name once it has a member, and does not change what it has returned', async () => {
    const { members, resolve } = directory();
    const listing = members.list();
    await vi.advanceTimersByTimeAsync(250);
    const first = await listing;
    resolve(['10.0.0.2', '10.0.0.3']);
    await vi.advanceTimersByTimeAsync(0);

    expect(first.members.map(({ address }) => address)).toEqual([{ host: '10.0.0.1', port: 2379 }]);
    expect((await members.list()).members).toHaveLength(3);
  });

  it('does not add the failure of a slow name to what it has returned', async () => {
    const { members, reject } = directory();
    const listing = members.list();
    await vi.advanceTimersByTimeAsync(250);
    const { failures } = await listing;
    reject(new Error('no name server'));
    await vi.advanceTimersByTimeAsync(0);

    expect(failures).toEqual([]);
  });
});
