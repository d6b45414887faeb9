import { EtcdTriggerError } from '../etcd-trigger.errors.js';

/** No etcd was found on this machine and none could be fetched; the message lists what was tried and what to do. */
export class EtcdNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_NOT_FOUND';

  constructor(
    version: string | undefined,
    /** One sentence for each way that was tried. */
    readonly tried: readonly string[],
  ) {
    const tag = version === undefined ? 'v3.5.21' : `v${version}.0`;
    super(
      [
        `no etcd${version === undefined ? '' : ` ${version}`} was found, and none could be fetched:`,
        ...tried.map((reason) => `  - ${reason}`),
        'One of these helps:',
        '  - set ETCD_BIN to an etcd binary, or put one on the PATH',
        '  - on Debian or Ubuntu let apt-get reach its mirror: the package etcd-server is unpacked, not installed',
        '  - let this machine reach the releases, or set ETCD_DOWNLOAD_BASE to a mirror of them',
        '  - run etcd in a container and set ETCD_HOSTS=http://127.0.0.1:2379 for whatever reads it:',
        `    docker run --rm -p 2379:2379 quay.io/coreos/etcd:${tag} etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://127.0.0.1:2379`,
      ].join('\n'),
    );
  }
}

/** etcd did not start, or did not become healthy in time; the message ends with the last lines of its log. */
export class EtcdStartError extends EtcdTriggerError {
  readonly code = 'ETCD_START';

  constructor(
    reason: string,
    /** The last lines of etcd's log. */
    readonly log: string,
    cause?: unknown,
  ) {
    super(log === '' ? reason : `${reason}; the end of its log:\n${log}`, { cause });
  }

  /** Another process took one of the ports in the meantime: new ports may help. */
  get addressInUse(): boolean {
    return this.log.includes('address already in use');
  }
}

/** `settled()` waited in vain; the message names what is still under way. */
export class NotSettledError extends EtcdTriggerError {
  readonly code = 'ETCD_NOT_SETTLED';

  constructor(
    withinMs: number,
    /** One for each handler, definition or target. */
    readonly open: readonly string[],
  ) {
    super(`settled(): still under way after ${withinMs} ms: ${open.join('; ')}`);
  }
}

/** The members of a test cluster did not agree on a leader in time. */
export class NoLeaderError extends EtcdTriggerError {
  readonly code = 'ETCD_NO_LEADER';

  constructor(withinMs: number) {
    super(`the members elected no leader within ${withinMs} ms`);
  }
}
