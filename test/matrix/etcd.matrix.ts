import { findEtcd } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { runSpecs } from './run-specs.js';

describe.each(['3.4', '3.5'])('etcd %s', (version) => {
  it('passes the contract, integration and fault tests', async () => {
    const { path, version: found } = await findEtcd({ version });

    expect(found).toMatch(`${version}.`);
    expect(
      await runSpecs(['test/testing/contract', 'test/integration', 'test/faults'], { env: { ETCD_BIN: path } }),
    ).toBe('passed');
  });
});
