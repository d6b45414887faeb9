import { describe, expect, it, onTestFinished } from 'vitest';
import { EtcdStartError, EtcdTestCluster, type EtcdMember } from '../../../lib/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { put, read } from '../../support/gateway.js';

async function startMember(version?: string): Promise<EtcdMember> {
  const cluster = await EtcdTestCluster.start({ version });
  onTestFinished(() => cluster.stop());
  return cluster.first;
}

const isSilent = (member: EtcdMember): Promise<boolean> =>
  member.metric('etcd_server_is_leader').then(
    () => false,
    () => true,
  );

describe.each(['3.4', '3.5'])('one member of etcd %s', (version) => {
  it('keeps its address and its data when it is stopped, killed and restarted', async () => {
    const member = await startMember(version);
    const { endpoint, pid } = member;
    await put(endpoint, 'a', '1');

    await member.stop();
    expect([member.running, member.pid]).toEqual([false, undefined]);
    await expect(read(endpoint, 'a')).rejects.toThrow();

    await member.start();
    expect(await read(endpoint, 'a')).toBe('1');
    await put(endpoint, 'a', '2');
    await member.kill();
    await member.start();
    await member.restart();

    expect(await read(endpoint, 'a')).toBe('2');
    expect(member.endpoint).toBe(endpoint);
    expect(member.pid).not.toBe(pid);
  });

  it('is a new store after a wipe', async () => {
    const member = await startMember(version);
    await put(member.endpoint, 'a', '1');

    await member.wipe();
    expect(member.running).toBe(false);
    await member.start();

    expect(await read(member.endpoint, 'a')).toBeUndefined();
  });
});

describe('a member', () => {
  it('does not respond while it is paused, and responds afterwards', async () => {
    const member = await startMember();
    let hasResponded = false;

    member.pause();
    // The signal takes effect some time after it was sent.
    await eventually(() => isSilent(member));
    const response = put(member.endpoint, 'a', '1').then(() => (hasResponded = true));
    expect(await isSilent(member)).toBe(true);
    expect([hasResponded, member.running]).toEqual([false, true]);
    member.resume();
    await response;

    expect(await read(member.endpoint, 'a')).toBe('1');
  });

  it('can be stopped while it is paused, and started twice', async () => {
    const member = await startMember();

    member.pause();
    await member.stop();
    expect(() => {
      member.pause();
    }).toThrow('etcd-0 cannot be paused, because it is not running');
    await Promise.all([member.start(), member.start()]);
    await member.start();

    expect(await member.metric('etcd_server_has_leader')).toBe(1);
  });

  it('notices that another process has killed it', async () => {
    const member = await startMember();

    process.kill(member.pid ?? 0, 'SIGKILL');

    await eventually(() => !member.running);
  });

  it('returns the last lines of its log', async () => {
    const member = await startMember();

    expect((await member.log(3)).split('\n')).toHaveLength(3);
    expect(await member.log(1_000)).toContain(`"name":"etcd-0"`);
  });

  it('includes the last lines of its log in a start error', async () => {
    const start = EtcdTestCluster.start({ args: ['--quota-backend-bytes=many'] });

    const error: unknown = await start.catch((cause: unknown) => cause);

    expect(error).toBeInstanceOf(EtcdStartError);
    expect(error).toMatchObject({ code: 'ETCD_START', addressInUse: false });
    expect((error as Error).message).toMatch(
      /exited during startup \(code \d\); the last lines of its log:\n[^]*quota-backend-bytes/,
    );
  });

  it('cannot be started again after it was disposed', async () => {
    const member = await startMember();

    await member.dispose();
    await member.dispose();

    await expect(member.start()).rejects.toThrow('was disposed');
  });
});
