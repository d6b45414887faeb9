import type { SocketAddress } from '../transport/connect-socket.js';

/** One address of the cluster. Two addresses may lead to the same etcd, as 127.0.0.1 and ::1 do. */
export class Member {
  /** Cluster and member id, once the member has answered a status request. */
  identity: string | undefined;
  /** Time of the last reason to prefer another member, by `performance.now()`; 0 without one. */
  avoidedAt = 0;

  constructor(
    readonly address: SocketAddress,
    /** The `:authority` of requests: the host as it was configured, with its port. */
    readonly authority: string,
    /** The name that the server's certificate must carry. */
    readonly hostName: string,
  ) {}

  /** True if both addresses are known to lead to the same etcd. */
  isSameAs(other: Member): boolean {
    return this === other || (this.identity !== undefined && this.identity === other.identity);
  }

  avoid(): void {
    this.avoidedAt = performance.now();
  }
}
