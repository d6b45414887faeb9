import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Client, connectivityState, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Member, type PoolHost } from '../../lib/etcd/member.js';

describe('a member', () => {
  it('lets eight calls begin in one turn of the event loop, so that a thousand watches do not begin at once', async () => {
    const member = new Member(connectedHost(), () => Promise.resolve(new Metadata()));
    let begun = 0;
    for (let call = 0; call < 20; call += 1) void member.connected('Watch', 1_000).then(() => (begun += 1));

    const seen: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      await nextTurn();
      seen.push(begun);
    }
    expect(seen).toEqual([8, 16, 20]);
  });
});

/** A host whose connection stands. */
function connectedHost(): PoolHost {
  const channel = { getConnectivityState: () => connectivityState.READY };
  const client = { getChannel: () => channel } as unknown as Client;
  return { getServiceClient: () => client } as unknown as PoolHost;
}
