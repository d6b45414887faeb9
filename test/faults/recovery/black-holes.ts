import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';
import { APP, ROOT, type SecuredCluster, startSecured } from '../../support/secured-cluster.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

/** Where the watch meets the black hole. Each leaves it interrupted. */
type Entry = 'met while it follows' | 'met while it connects' | 'met while it authenticates' | typeof DROPPED;

/** Nothing that was sent arrives later: the answer does not come when the link has healed. */
const DROPPED = 'that drops, met while it authenticates';

/** The only link swallows everything, for some seconds after the watch has noticed; then it heals. */
export const BLACK_HOLES: readonly RecoveryScenario[] = (
  [
    ['met while it follows', 40, 10],
    ['met while it connects', 60, 10],
    ['met while it authenticates', 40, 4],
    [DROPPED, 40, 4],
  ] as const
).map(([entry, rounds, followers]) => ({
  fault: `black hole ${entry}`,
  measured: 'healing until following again',
  limitMs: 4_000,
  statistic: 'max',
  rounds,
  followers,
  open: () => open(entry),
}));

async function open(entry: Entry): Promise<RecoveryPlace> {
  const secured = entry.endsWith('while it authenticates') ? await startSecured(['--bcrypt-cost=10']) : undefined;
  const etcd = secured?.etcd ?? (await EtcdTestCluster.start());
  const writer = secured ? new Writer(etcd.hosts, ROOT, '/allowed/recovery/') : new Writer(etcd.hosts);
  return {
    async follow() {
      const link = await TcpProxy.start(etcd.first.clientPort);
      const follower = await Follower.start(writer, { hosts: link.endpoint, ...(secured && { auth: APP }) });
      return {
        round: async function round(): Promise<number> {
          const interrupted = follower.whenStatus('interrupted');
          await meet(entry, link, secured);
          await interrupted;
          const missed = await writer.put();
          await sleep(Math.random() * 6_000);
          const isMet = follower.subscription.status === 'interrupted';
          const since = performance.now();
          link.thaw();
          const time = (await follower.whenStatus('following')) - since;
          await writer.prove(follower, missed);
          // It may have been through with authentication when the link froze.
          return isMet ? time : round();
        },
        async [Symbol.asyncDispose]() {
          await follower[Symbol.asyncDispose]();
          link.stop();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      writer[Symbol.dispose]();
      await (secured ? secured[Symbol.asyncDispose]() : etcd.stop());
    },
  };
}

async function meet(entry: Entry, link: TcpProxy, secured: SecuredCluster | undefined): Promise<void> {
  if (secured) {
    // Setting the password, to the same, makes every token invalid: the next stream is refused, and then a new token is
    // asked for.
    await secured.admin.user(APP.username).setPassword(APP.password);
    const { accepted } = link;
    link.cut();
    await eventually(() => link.accepted >= accepted + 2);
    await sleep(Math.random() * 60);
  }
  if (entry === DROPPED) link.drop();
  else link.freeze();
  if (entry === 'met while it connects') link.cut();
}
