import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliConfig, clientOf, type ConnectionFlags } from '../../lib/cli/connection.js';
import type { EtcdTriggerOptions } from '../../lib/module/etcd-trigger.options.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

const CA = Buffer.from('authority');
const [CERT, KEY] = [Buffer.from('certificate'), Buffer.from('key')];
const AUTH = { username: 'file', password: 'f' };
const CLIENT = { hosts: 'a:1', credentials: { rootCertificate: CA }, auth: AUTH, dialTimeout: 7 };

describe('the connection of a command', () => {
  let folder: TemporaryFolder;
  beforeEach(async () => {
    folder = await TemporaryFolder.create();
    for (const [name, content] of Object.entries({ ca: 'other authority', cert: CERT, key: KEY })) {
      writeFileSync(join(folder.path, name), content);
    }
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const clientFor = (
    flags: ConnectionFlags,
    config: CliConfig = {},
    { env = {}, application }: { env?: NodeJS.ProcessEnv; application?: EtcdTriggerOptions } = {},
  ) => clientOf(flags, { env, directory: folder.path }, config, application);

  it('replaces each value of the file by its flag or variable, and keeps the others', () => {
    const config = { client: CLIENT };
    const env = { ETCD_HOSTS: 'b:1', ETCD_USER: 'env', ETCD_PASSWORD: 'e' };

    expect(clientFor({}, config)).toEqual(CLIENT);
    expect(clientFor({ user: 'ada:a' }, config)).toEqual({ ...CLIENT, auth: { username: 'ada', password: 'a' } });
    expect(clientFor({ hosts: 'c:1' }, config)).toEqual({ ...CLIENT, hosts: 'c:1' });
    expect(clientFor({}, config, { env: { ETCD_HOSTS: 'b:1' } })).toEqual({ ...CLIENT, hosts: 'b:1' });
    expect(clientFor({ hosts: 'c:1', user: 'ada' }, config, { env })).toEqual({
      ...CLIENT,
      hosts: 'c:1',
      auth: { username: 'ada', password: 'e' },
    });
    expect(clientFor({}, config, { env: { ETCD_HOSTS: '', ETCD_USER: '', ETCD_CACERT: '' } })).toEqual(CLIENT);
  });

  it('adds a certificate to those of the file, also of a function', async () => {
    const credentials = { rootCertificate: CA, certChain: CERT, privateKey: KEY };
    const flags = { cert: 'cert', key: 'key' };
    expect(clientFor(flags, { client: CLIENT })).toEqual({ ...CLIENT, credentials });
    expect(clientFor({ cacert: 'ca' }, { client: { ...CLIENT, credentials } })).toMatchObject({
      credentials: { ...credentials, rootCertificate: Buffer.from('other authority') },
    });
    const renewed = clientFor(flags, { client: { hosts: 'a:1', credentials: () => ({ rootCertificate: CA }) } });
    expect(await (renewed as { credentials: () => unknown }).credentials()).toEqual(credentials);
    expect(clientFor({ hosts: 'c:1', ...flags })).toEqual({
      hosts: 'c:1',
      credentials: { certChain: CERT, privateKey: KEY },
    });
  });

  it('takes the options of the application only if nothing else names the hosts', () => {
    const application = { client: CLIENT };
    const auth = { username: 'ada', password: 'a' };

    expect(clientFor({ user: 'ada:a' }, {}, { application })).toEqual({ ...CLIENT, auth });
    expect(clientFor({ hosts: 'c:1' }, {}, { application })).toEqual({ hosts: 'c:1' });
    expect(clientFor({}, { client: { hosts: 'd:1' } }, { application })).toEqual({ hosts: 'd:1' });
  });

  it('refuses flags that it cannot combine with the client', () => {
    const etcd3 = new Etcd3({ hosts: 'a:1' });
    etcd3.close();
    for (const client of [etcd3, new FakeCluster()]) {
      expect(clientFor({}, { client })).toBe(client);
      expect(clientFor({ hosts: 'c:1', user: 'ada:a' }, { client })).toMatchObject({ hosts: 'c:1' });
      expect(() => clientFor({ user: 'ada:a' }, { client })).toThrow('--user cannot be combined with a "client"');
    }
    expect(() => clientFor({ cert: 'cert' }, { client: CLIENT })).toThrow('--cert and --key belong together');
    expect(() => clientFor({ user: 'ada' }, { client: CLIENT })).toThrow('set ETCD_PASSWORD');
    expect(() => clientFor({ user: 'ada:a' })).toThrow('no etcd is named');
  });
});
