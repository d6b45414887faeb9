import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';
import { APP, ROOT, type SecuredCluster, startSecured } from '../../support/secured-cluster.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Follower } from './follower.js';
import type { RecoveryPlace, RecoveryScenario } from './recovery-scenario.js';
import { Writer } from './writer.js';

/** Phase in which the link becomes a black hole. Each leaves the watch interrupted. */
type Phase = 'while it follows' | 'while it connects' | 'while it authenticates' | typeof DROPPED;

/** The link discards data, so the response to the authentication never arrives. */
const DROPPED = 'that drops data, while it authenticates';

/** The only link becomes a black hole, and recovers some seconds after the watch has detected it. */
export const BLACK_HOLES: readonly RecoveryScenario[] = (
  [
    ['while it follows', 40, 10],
    ['while it connects', 60, 10],
    ['while it authenticates', 40, 4],
    [DROPPED, 40, 4],
  ] as const
).map(([phase, rounds, followers]) => ({
  fault: `black hole ${phase}`,
  measured: 'healing until following again',
  limitMs: 4_000,
  statistic: 'max',
  rounds,
  followers,
  open: () => open(phase),
}));

async function open(phase: Phase): Promise<RecoveryPlace> {
  const secured = phase.endsWith('while it authenticates') ? await startSecured(['--bcrypt-cost=10']) : undefined;
  const etcd = secured?.etcd ?? (await EtcdTestCluster.start());
  const writer = secured ? new Writer(etcd.hosts, ROOT, '/allowed/recovery/') : new Writer(etcd.hosts);
  return {
    async follow() {
      const link = await TcpProxy.start(etcd.first.clientPort);
      const follower = await Follower.start(writer, { hosts: link.endpoint, ...(secured && { auth: APP }) });
      return {
        round: async function round(): Promise<number> {
          const interrupted = follower.whenStatus('interrupted');
          await enterBlackHole(phase, link, secured);
          await interrupted;
          const missed = await writer.put();
          await sleep(Math.random() * 6_000);
          const isInterrupted = follower.subscription.status === 'interrupted';
          const since = performance.now();
          link.thaw();
          const time = (await follower.whenStatus('following')) - since;
          await writer.verifyDelivery(follower, missed);
          // The authentication may have finished before the link froze; then the round is repeated.
          return isInterrupted ? time : round();
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

async function enterBlackHole(phase: Phase, link: TcpProxy, secured: SecuredCluster | undefined): Promise<void> {
  if (secured) {
    // Setting the same password again invalidates every token: the next stream is rejected and a new token is
    // requested.
    await secured.admin.user(APP.username).setPassword(APP.password);
    const { accepted } = link;
    link.cut();
    await eventually(() => link.accepted > accepted);
    await sleep(Math.random() * 60);
  }
  if (phase === DROPPED) link.drop();
  else link.freeze();
  if (phase === 'while it connects') link.cut();
}
