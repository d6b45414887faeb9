import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HostResolver, type LookUp } from '../../../lib/etcd/connection/host-resolver.js';
import { TransportError } from '../../../lib/etcd/transport/transport-error.js';

interface LookUpUnderWay {
  readonly resolve: (addresses: readonly string[]) => void;
  readonly reject: (error: Error) => void;
}

/** A resolver whose look-ups the test answers. */
function resolver() {
  const lookUps: LookUpUnderWay[] = [];
  const lookUp = vi.fn<LookUp>(
    () =>
      new Promise((resolve, reject) => {
        lookUps.push({ resolve, reject });
      }),
  );
  return { hosts: new HostResolver(lookUp), lookUp, lookUps };
}

/** A resolver that knows an address which is no longer fresh. */
async function knowing(addresses: readonly string[]) {
  const all = resolver();
  const first = all.hosts.addressesOf('etcd');
  all.lookUps[0]?.resolve(addresses);
  await first;
  await vi.advanceTimersByTimeAsync(2_001);
  return all;
}

/** The result of a promise so far. */
function settled<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const result: { value?: T; error?: unknown } = {};
  promise.then(
    (value) => (result.value = value),
    (error: unknown) => (result.error = error),
  );
  return result;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('HostResolver', () => {
  it.each(['10.0.0.1', 'fd00::1'])('does not look up the address %s', async (address) => {
    const { hosts, lookUp } = resolver();

    expect(await hosts.addressesOf(address)).toEqual([address]);
    expect(lookUp).not.toHaveBeenCalled();
  });

  it('runs one look-up of a name at a time, however many callers wait', async () => {
    const { hosts, lookUp, lookUps } = resolver();
    const calls = Array.from({ length: 100 }, () => hosts.addressesOf('etcd'));
    const other = hosts.addressesOf('other');
    lookUps[0]?.resolve(['10.0.0.1', '10.0.0.2']);
    lookUps[1]?.resolve(['10.0.0.3']);

    expect(new Set((await Promise.all(calls)).map(String))).toEqual(new Set(['10.0.0.1,10.0.0.2']));
    expect(await other).toEqual(['10.0.0.3']);
    expect(lookUp.mock.calls).toEqual([['etcd'], ['other']]);
  });

  it('looks a name up again only after two seconds', async () => {
    const { hosts, lookUp, lookUps } = resolver();
    const first = hosts.addressesOf('etcd');
    lookUps[0]?.resolve(['10.0.0.1']);
    await first;
    await vi.advanceTimersByTimeAsync(1_999);
    expect(await hosts.addressesOf('etcd')).toEqual(['10.0.0.1']);
    expect(lookUp).toHaveBeenCalledTimes(1);

    await vi.advanceTimersByTimeAsync(1);
    const second = hosts.addressesOf('etcd');
    lookUps[1]?.resolve(['10.0.0.2']);
    expect(await second).toEqual(['10.0.0.2']);
  });

  it('rejects with a TransportError when the name is unknown, and looks it up again', async () => {
    const { hosts, lookUps } = resolver();
    const first = hosts.addressesOf('etcd');
    lookUps[0]?.reject(Object.assign(new Error('getaddrinfo ENOTFOUND etcd'), { code: 'ENOTFOUND' }));
    await expect(first).rejects.toMatchObject({ failure: 'connect', code: 'ENOTFOUND' });

    const second = hosts.addressesOf('etcd');
    lookUps[1]?.resolve([]);
    await expect(second).rejects.toMatchObject({ failure: 'connect', code: 'ENOTFOUND' });

    const third = hosts.addressesOf('etcd');
    lookUps[2]?.resolve(['10.0.0.1']);
    expect(await third).toEqual(['10.0.0.1']);
  });

  it('gives up a look-up that hangs after five seconds, and has two of them hang at most', async () => {
    const { hosts, lookUp, lookUps } = resolver();
    for (const count of [1, 2]) {
      const call = settled(hosts.addressesOf('etcd'));
      await vi.advanceTimersByTimeAsync(4_999);
      expect(call.error).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(call.error).toBeInstanceOf(TransportError);
      expect(lookUp).toHaveBeenCalledTimes(count);
    }
    await expect(hosts.addressesOf('etcd')).rejects.toThrow(/takes longer/);
    expect(lookUp).toHaveBeenCalledTimes(2);

    lookUps[0]?.reject(new Error('late'));
    await vi.advanceTimersByTimeAsync(0);
    const call = hosts.addressesOf('etcd');
    lookUps[2]?.resolve(['10.0.0.1']);
    expect(await call).toEqual(['10.0.0.1']);
    expect(lookUp).toHaveBeenCalledTimes(3);
  });

  it('uses the addresses that a given-up look-up finds in the end', async () => {
    const { hosts, lookUps } = resolver();
    const call = settled(hosts.addressesOf('etcd'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(call.error).toBeInstanceOf(TransportError);
    lookUps[0]?.resolve(['10.0.0.1']);
    await vi.advanceTimersByTimeAsync(0);

    const next = settled(hosts.addressesOf('etcd'));
    await vi.advanceTimersByTimeAsync(500);
    expect(next.value).toEqual(['10.0.0.1']);
  });

  it('returns the known addresses when a new look-up fails', async () => {
    const { hosts, lookUps } = await knowing(['10.0.0.1']);
    const call = hosts.addressesOf('etcd');
    lookUps[1]?.reject(new Error('no name server'));

    expect(await call).toEqual(['10.0.0.1']);
  });

  it('returns the known addresses when a new look-up takes half a second, and its result afterwards', async () => {
    const { hosts, lookUp, lookUps } = await knowing(['10.0.0.1']);
    const call = settled(hosts.addressesOf('etcd'));
    await vi.advanceTimersByTimeAsync(499);
    expect(call.value).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(call.value).toEqual(['10.0.0.1']);

    lookUps[1]?.resolve(['10.0.0.2']);
    await vi.advanceTimersByTimeAsync(0);
    expect(await hosts.addressesOf('etcd')).toEqual(['10.0.0.2']);
    expect(lookUp).toHaveBeenCalledTimes(2);
  });

  it.each([
    [
      'succeeds',
      ({ resolve }: LookUpUnderWay) => {
        resolve(['10.0.0.2']);
      },
    ],
    [
      'fails',
      ({ reject }: LookUpUnderWay) => {
        reject(new Error('no name server'));
      },
    ],
  ])('counts the two seconds from the end of a slow look-up that %s', async (_, end) => {
    const { hosts, lookUp, lookUps } = await knowing(['10.0.0.1']);
    const call = settled(hosts.addressesOf('etcd'));
    await vi.advanceTimersByTimeAsync(3_000);
    if (lookUps[1]) end(lookUps[1]);
    await vi.advanceTimersByTimeAsync(1_999);
    settled(hosts.addressesOf('etcd'));
    expect(call.value).toEqual(['10.0.0.1']);
    expect(lookUp).toHaveBeenCalledTimes(2);

    await vi.advanceTimersByTimeAsync(1);
    settled(hosts.addressesOf('etcd'));
    expect(lookUp).toHaveBeenCalledTimes(3);
  });
});
