import { describe, expect, it } from 'vitest';
import { InvalidOptionsError } from '../../../lib/etcd-trigger.errors.js';
import { authorityOf, formatHost, parseHosts } from '../../../lib/etcd/connection/hosts.js';

const host = (name: string, port = 2379, isSecure = false) => ({ name, port, isSecure });

function messageOf(hosts: unknown): string {
  try {
    parseHosts(hosts);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionsError);
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(hosts)} was accepted`);
}

describe('parseHosts', () => {
  it.each<[unknown, unknown[]]>([
    ['etcd:2380', [host('etcd', 2380)]],
    ['etcd', [host('etcd')]],
    [
      ['a:1', 'b:2'],
      [host('a', 1), host('b', 2)],
    ],
    ['a:1,b:2', [host('a', 1), host('b', 2)]],
    [' a:1 ,\tb:2\n, ,', [host('a', 1), host('b', 2)]],
    [
      ['a:1,b:2', ' c '],
      [host('a', 1), host('b', 2), host('c')],
    ],
    ['http://etcd:2379/', [host('etcd')]],
    ['http://etcd//', [host('etcd')]],
    ['https://etcd:443', [host('etcd', 443, true)]],
    ['HTTPS://etcd', [host('etcd', 2379, true)]],
    ['HTTP://Etcd.Example', [host('Etcd.Example')]],
    ['127.0.0.1:2379', [host('127.0.0.1')]],
    ['::1', [host('::1')]],
    ['[::1]', [host('::1')]],
    ['[::1]:2380', [host('::1', 2380)]],
    ['https://[fd00::1]:2380/', [host('fd00::1', 2380, true)]],
    ['http://fd00::1', [host('fd00::1')]],
    ['[fe80::1%eth0]:2379', [host('fe80::1%eth0')]],
    ['unix:/run/etcd.sock', [{ path: '/run/etcd.sock' }]],
    ['unix:///run/etcd.sock', [{ path: '/run/etcd.sock' }]],
    ['unix:etcd.sock', [{ path: 'etcd.sock' }]],
    ['unix:/run/a@b', [{ path: '/run/a@b' }]],
    [
      ['unix:/run/etcd.sock', 'https://a'],
      [{ path: '/run/etcd.sock' }, host('a', 2379, true)],
    ],
  ])('accepts %j', (hosts, endpoints) => {
    expect(parseHosts(hosts)).toEqual(endpoints);
  });

  it.each([undefined, null, 2379, {}, [], '', ' , ', [''], ['a', 1], [['a']]])('rejects %j', (hosts) => {
    expect(messageOf(hosts)).toBe('client.hosts must be "host:port" or a non-empty array of such strings');
  });

  it.each([
    'etcd:0',
    'etcd:65536',
    'etcd:http',
    'etcd:',
    ':2379',
    'http://',
    'http://a/b',
    'a b',
    'a?b',
    '[::1',
    'unix:',
  ])('rejects %j and quotes it', (text) => {
    expect(messageOf(['a', text])).toContain(`client.hosts has ${JSON.stringify(text)}`);
  });

  it('names a scheme that is not supported', () => {
    expect(messageOf('ftp://etcd')).toContain('has the scheme "ftp:", which is not supported');
    expect(messageOf('dns:///etcd')).toContain('"dns:"');
  });

  it('quotes only the beginning of a long text', () => {
    expect(messageOf(`a b${'x'.repeat(10_000)}`).length).toBeLessThan(400);
  });

  it.each([
    'http://root:secret@etcd:2379',
    'root:secret@etcd',
    'ftp://root:secret@etcd',
    'http://root:secret@etcd:0',
    'http://root:secret,secret@etcd',
    'http://root:secret/secret@etcd',
  ])('rejects the user of %j without quoting it', (text) => {
    const message = messageOf(['a', text]);

    expect(message).toContain('use client.auth');
    expect(message).not.toContain('secret');
    expect(message).not.toContain('root');
  });

  it('rejects hosts with and without TLS together', () => {
    expect(messageOf('https://a,http://b')).toContain('mixes https:// with hosts without TLS');
    expect(messageOf(['https://a', 'b'])).toContain('mixes https://');
  });
});

describe('formatHost', () => {
  it.each(['http://etcd:2379', 'https://etcd:443', 'http://[::1]:2379', 'unix:/run/etcd.sock'])(
    'returns %j as it was',
    (text) => {
      expect(parseHosts(text).map(formatHost)).toEqual([text]);
    },
  );
});

describe('authorityOf', () => {
  it('puts an IPv6 address in brackets', () => {
    expect(authorityOf({ name: '::1', port: 1 })).toBe('[::1]:1');
    expect(authorityOf({ name: '127.0.0.1', port: 1 })).toBe('127.0.0.1:1');
    expect(authorityOf({ name: 'etcd', port: 1 })).toBe('etcd:1');
  });
});
