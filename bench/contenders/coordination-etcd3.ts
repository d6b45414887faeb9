import { once } from 'node:events';
import { type Campaign, Etcd3 } from 'etcd3';
import { options, startSample } from '../contender.js';
import type { PeerWork } from '../coordination.js';

/** Measures etcd3's `Lock` and `Election`. */
const { hosts, work, count } = options() as { hosts: string[]; work: PeerWork; count: number };
const client = new Etcd3({ hosts });

const WORKS: Record<PeerWork, () => Promise<void>> = {
  async locks() {
    await client.lock('/lock').do(() => undefined);
    const finish = startSample();
    for (let index = 0; index < count; index += 1) await client.lock('/lock').do(() => undefined);
    finish(count);
  },

  /** Two candidates hand the lead to each other. One that has resigned campaigns again. */
  async handOvers() {
    const elections = [client.election('leader', 15), new Etcd3({ hosts }).election('leader', 15)] as const;
    const campaign = async (election: 0 | 1): Promise<{ current: Campaign; elected: Promise<unknown> }> => {
      const current = elections[election].campaign(String(election));
      const elected = once(current, 'elected');
      // It is in the queue when it has a key.
      await current.getCampaignKey();
      return { current, elected };
    };
    let leader = await campaign(0);
    await leader.elected;
    let standby = await campaign(1);
    const finish = startSample();
    for (let index = 0; index < count; index += 1) {
      await leader.current.resign();
      await standby.elected;
      leader = standby;
      standby = await campaign((index % 2) as 0 | 1);
    }
    finish(count);
  },
};

await WORKS[work]();
