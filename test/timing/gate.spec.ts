import { describe, expect, it } from 'vitest';
import { Gate } from '../../lib/timing/gate.js';

describe('Gate', () => {
  it('makes callers wait while it is closed', async () => {
    const gate = new Gate();
    const order: string[] = [];
    const waiting = gate.whenOpen().then(() => order.push('passed'));
    await Promise.resolve();
    expect([gate.isOpen, order]).toEqual([false, []]);

    gate.open();
    await waiting;
    await gate.whenOpen();
    expect([gate.isOpen, order]).toEqual([true, ['passed']]);
  });

  it('can be closed again, and closing it twice keeps its callers', async () => {
    const gate = new Gate();
    gate.open();
    gate.close();
    const waiting = gate.whenOpen();
    gate.close();
    gate.open();

    await waiting;
    expect(gate.isOpen).toBe(true);
  });
});
