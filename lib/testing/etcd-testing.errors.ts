import { EtcdTriggerError } from '../etcd-trigger.errors.js';

/** etcd is not installed and could not be fetched. The message lists every attempt and the possible remedies. */
export class EtcdNotFoundError extends EtcdTriggerError {
  readonly code = 'ETCD_NOT_FOUND';

  constructor(
    version: string | undefined,
    /** One sentence for each attempt. */
    readonly tried: readonly string[],
  ) {
    const tag = version === undefined ? 'v3.5.21' : `v${version}.0`;
    super(
      [
        `etcd${version === undefined ? '' : ` ${version}`} was not found and could not be fetched:`,
        ...tried.map((reason) => `  - ${reason}`),
        'Do one of the following:',
        '  - set ETCD_BIN to an etcd binary, or add one to the PATH',
        '  - on Debian or Ubuntu, let apt-get reach its mirror: the package etcd-server is unpacked, not installed',
        '  - let this machine reach the etcd releases, or set ETCD_DOWNLOAD_BASE to an https mirror of them',
        '  - run etcd in a container and set ETCD_HOSTS=http://127.0.0.1:2379 for programs that read it:',
        `    docker run --rm -p 2379:2379 quay.io/coreos/etcd:${tag} etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://127.0.0.1:2379`,
      ].join('\n'),
    );
  }
}

/** etcd did not start, or did not become healthy in time. The message ends with the last lines of its log. */
export class EtcdStartError extends EtcdTriggerError {
  readonly code = 'ETCD_START';

  constructor(
    reason: string,
    /** Last lines of etcd's log. */
    readonly log: string,
    cause?: unknown,
  ) {
    super(log === '' ? reason : `${reason}; the last lines of its log:\n${log}`, { cause });
  }

  /** True if another process has taken one of the ports: a start with other ports may succeed. */
  get addressInUse(): boolean {
    return this.log.includes('address already in use');
  }
}

/** `settled()` or `elect()` timed out. The message names the pending work. */
export class NotSettledError extends EtcdTriggerError {
  readonly code = 'ETCD_NOT_SETTLED';

  constructor(
    withinMs: number,
    /** One line for each busy handler, definition or target. */
    readonly open: readonly string[],
    call = 'settled()',
  ) {
    super(`${call}: work was still pending after ${withinMs} ms: ${open.join('; ')}`);
  }
}

/** The members of a test cluster elected no leader in time. */
export class NoLeaderError extends EtcdTriggerError {
  readonly code = 'ETCD_NO_LEADER';

  constructor(withinMs: number) {
    super(`the members elected no leader within ${withinMs} ms`);
  }
}
