import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Client, connectivityState, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Member, type PoolHost } from '../../../lib/etcd/connection/member.js';

describe('a member', () => {
  it('lets eight calls begin in one turn of the event loop, so that a thousand watches do not begin at once', async () => {
    const member = new Member(connectedHost(), () => Promise.resolve(new Metadata()));
    const turns: number[] = [];
    let turn = 0;
    const next = (): void => {
      turn += 1;
      if (turns.length < 20) setImmediate(next);
    };
    setImmediate(next);
    for (let call = 0; call < 20; call += 1) void member.connected('Watch', 1_000).then(() => turns.push(turn));
    while (turns.length < 20) await nextTurn();

    const begun = [0, 1, 2].map((number) => turns.filter((each) => each === number).length);
    expect(begun).toEqual([8, 8, 4]);
  });
});

/** A host whose connection stands. */
function connectedHost(): PoolHost {
  const channel = { getConnectivityState: () => connectivityState.READY };
  const client = { getChannel: () => channel } as unknown as Client;
  return { getServiceClient: () => client } as unknown as PoolHost;
}
