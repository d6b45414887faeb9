import { describe, expect, it } from 'vitest';
import { type LeaseLoss, ProcessLease } from '../../lib/coordination/process-lease.js';

/** Clocks that advance together, unless the machine is suspended or somebody sets the wall clock. */
class TwoClocks {
  #now = 1_000_000;
  #wall = 5_000_000;
  readonly #timers = new Set<{ readonly at: number; readonly call: () => void }>();

  now = (): number => this.#now;
  wall = (): number => this.#wall;
  after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.#now + ms, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Like a blocked event loop: no timer runs. */
  block(ms: number): void {
    this.#now += ms;
    this.#wall += ms;
  }

  pass(ms: number): void {
    this.block(ms);
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.#now)) {
      this.#timers.delete(timer);
      timer.call();
    }
  }

  setWall(ms: number): void {
    this.#wall += ms;
  }
}

function start() {
  const clock = new TwoClocks();
  const losses: LeaseLoss[] = [];
  let suspicions = 0;
  const sent = { now: clock.now(), wall: clock.wall() };
  // The answer takes a second.
  clock.pass(1_000);
  const lease = new ProcessLease({ id: '7', ttlSeconds: 10 }, sent, {
    clock,
    marginMs: (ttlMs) => ttlMs / 5,
    onSuspicion: () => (suspicions += 1),
    onLoss: (loss) => losses.push(loss),
  });
  const instant = () => ({ now: clock.now(), wall: clock.wall() });
  return { clock, lease, losses, instant, suspicions: () => suspicions };
}

describe('the lease of a process', () => {
  it('is held until the time to live less the margin, counted from the sending of the request', () => {
    const { clock, lease, losses } = start();
    clock.pass(6_999);
    expect([lease.held, lease.signal.aborted]).toEqual([true, false]);
    clock.pass(1);
    expect([lease.held, lease.signal.aborted, lease.loss, losses]).toEqual([false, true, 'expired', ['expired']]);
  });

  it('is held longer by a renewal, counted from its sending', () => {
    const { clock, lease, instant } = start();
    clock.pass(3_000);
    const sent = instant();
    clock.pass(2_000);
    lease.confirm(sent);
    clock.pass(5_999);
    expect(lease.held).toBe(true);
    clock.pass(1);
    expect([lease.held, lease.signal.aborted]).toEqual([false, true]);
  });

  it('is not held after its deadline, although no timer could run', () => {
    const { clock, lease } = start();
    clock.block(7_000);
    expect([lease.held, lease.signal.aborted]).toEqual([false, false]);
  });

  it('is lost once: neither a late confirmation nor a second loss changes that', () => {
    const { clock, lease, losses, instant } = start();
    const sent = instant();
    clock.pass(7_000);
    lease.confirm(sent);
    lease.lose('gone');
    expect([lease.held, lease.loss, losses]).toEqual([false, 'expired', ['expired']]);
  });

  it('ignores the confirmation of an older renewal', () => {
    const { clock, lease, instant } = start();
    const older = instant();
    clock.pass(1_000);
    lease.confirm(instant());
    lease.confirm(older);
    clock.pass(7_999);
    expect(lease.held).toBe(true);
  });

  it('is not held after a suspension until a renewal that was sent later is confirmed, and keeps its signal', () => {
    const { clock, lease, instant, suspicions } = start();
    const before = instant();
    clock.setWall(3_600_000);
    expect([lease.held, suspicions()]).toEqual([false, 1]);
    lease.confirm(before);
    expect(lease.held).toBe(false);
    lease.confirm(instant());
    expect([lease.held, lease.signal.aborted]).toEqual([true, false]);
  });

  it('tolerates corrections of the wall clock, and a wall clock that is set back', () => {
    const { clock, lease } = start();
    clock.setWall(1_000);
    expect(lease.held).toBe(true);
    clock.setWall(-3_600_000);
    expect(lease.held).toBe(true);
  });
});
