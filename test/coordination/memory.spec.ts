import { Injectable } from '@nestjs/common';
import { type Election, InjectElection } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { leastGrowth } from '../support/heap.js';
import { startApp } from '../support/start-app.js';

@Injectable()
class Candidate {
  constructor(@InjectElection('job') readonly election: Election) {}
}

describe('the memory of an instance', () => {
  it('keeps nothing of a term that has ended', async () => {
    const fake = new FakeCluster();
    await using started = await startApp(
      { hosts: '', client: fake, coordination: { prefix: '/co' } },
      { providers: [Candidate] },
    );
    const { election } = started.app.get(Candidate);
    const lead = async (terms: number): Promise<void> => {
      for (let term = 0; term < terms; term += 1) {
        while (!election.isLeader) {
          fake.advance(1);
          await new Promise(setImmediate);
        }
        await election.resign({ standbyMs: 1 });
        fake.compact();
      }
    };

    expect(await leastGrowth(lead, 1_000)).toBeLessThan(250);
  });
});
